"""Everything that destroys, by one protocol (protocol.py).

authorize → look → compare → record intent → act once → look again → record outcome
"""
