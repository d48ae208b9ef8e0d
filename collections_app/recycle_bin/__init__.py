"""The recycle bin: what is in it, what becomes of it, and the purge when its time has come.

`models.BinItem` is an index; the audit log is the truth. The acts themselves are in operations/.
"""
