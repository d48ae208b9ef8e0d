"""Signing in: the three modes, and what they put on the record."""
