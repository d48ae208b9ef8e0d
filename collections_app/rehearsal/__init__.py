"""What Milvus Admin assumes about Milvus, tried on the operator's own server.

A run creates scratch collections, sends them through the very code that drops the others, and
removes them again. Start reading at `run.rehearse`.
"""
