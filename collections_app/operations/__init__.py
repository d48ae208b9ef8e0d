"""Everything that destroys, by one protocol (protocol.py).

authorize → read → compare → record intent → send once → read back → record outcome
"""
