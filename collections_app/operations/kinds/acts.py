"""The acts: what each is called in addresses, on buttons, in the log and at the shell.

To add one: an Action and what grants it (access/policy.py), a row here, and an Operation in a file
beside this one.
"""

from dataclasses import dataclass

from ...access.policy import Action
from ...milvus.types import Kind, Target


@dataclass(frozen=True, slots=True)
class Act:
    """One row of the table. The target's name stands between `label` and `tail`."""

    action: Action
    slug: str  # in addresses, and the name of the URL; empty without a dialog
    kind: Kind  # of its target
    label: str  # on buttons and in headings; begins with the verb
    done: str  # in sentences: "was dropped"
    tail: str = ""
    noun: str = ""  # in "requested the …"; empty: the verb

    @property
    def verb(self) -> str:
        """In sentences: "drop"."""
        return self.label.partition(" ")[0].lower()

    def title(self, target: Target) -> str:
        """The label with its target: "Drop collection books"."""
        return f"{self.label} {target.shown_name}{self.tail}"


_C, _P, _A, _B = Kind.COLLECTION, Kind.PARTITION, Kind.ALIAS, Kind.BINNED
_N = Kind.NEW
TO_BIN, PROTECTED = " to the recycle bin", " protected"
_TABLE = (
    Act(Action.DROP_COLLECTION, "drop-collection", _C, "Drop collection", "dropped"),
    Act(Action.DROP_PARTITION, "drop-partition", _P, "Drop partition", "dropped"),
    Act(Action.DROP_ALIAS, "drop-alias", _A, "Drop alias", "dropped"),
    Act(Action.RELEASE_COLLECTION, "release-collection", _C, "Release collection", "released"),
    Act(Action.RELEASE_PARTITION, "release-partition", _P, "Release partition", "released"),
    Act(Action.MOVE_TO_BIN, "move-to-bin", _C, "Move collection", f"moved{TO_BIN}", TO_BIN),
    Act(Action.RESTORE, "restore", _B, "Restore collection", "restored"),
    Act(Action.PURGE, "purge", _B, "Purge collection", "purged"),
    Act(Action.SET_ALIAS, "set-alias", _A, "Set alias", "set"),
    Act(Action.CREATE, "re-create-collection", _N, "Re-create collection", "re-created"),
    Act(Action.LOAD_COLLECTION, "load-collection", _C, "Load collection", "loaded"),
    Act(Action.PROTECT, "protect", _C, "Protect collection", "protected", noun="protection"),
    Act(
        Action.UNPROTECT,
        "unprotect",
        _C,
        "Unprotect collection",
        "scheduled to be unprotected",
        noun="end of its protection",
    ),
    Act(
        Action.KEEP_PROTECTED,
        "keep-protected",
        _C,
        "Keep collection",
        "kept protected",
        PROTECTED,
        noun="protection to stay",
    ),
)
ACTS = {act.action: act for act in _TABLE}
