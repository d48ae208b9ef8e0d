"""Restore a collection from the recycle bin: the very same one, under its name or another."""

from ...access.policy import Action
from .binned import BinnedOperation


class Restore(BinnedOperation):
    action = Action.RESTORE
    is_irreversible = False
    proof = "Verified: this very collection has the name now."
    asks_for_name = False
