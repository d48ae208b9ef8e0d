"""`make bench`: how fast it is, beside the least that the same work could cost."""
