"""The promises under attack: nothing twice, nothing unrecorded, nothing lost.

`make chaos OPERATIONS=500 SEED=1`. Start reading at `__main__`.
"""
