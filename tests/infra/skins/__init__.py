"""Newer Milvus on top of a real 2.3.5: what 2.5.18, 2.6.20 and 3.0 answer otherwise, row by row.

No such server runs here. Each row was read in Milvus' source and names the place, so that it can
be checked again: paths are of milvus-io/milvus, on branch 2.5 (9d8edf9497, 2025-12-29), on branch
2.6 (91f1ca617e, 2026-07-24) and on branch 3.0 (cf62e24c63, 2026-07-24).

The order of a skin's rows counts: the first one sees the call first, and the answer last. A skin
changes what its rows say and nothing else. Not in any: names with outer space (2.6 does
not trim them), rename as a privilege of the database (3.0), grants that follow a rename (2.6.12).
"""

from .acts import (
    ALIASES_INVALID,
    ALIASES_UNSORTED,
    LATE,
    PARAMETER,
    RENAME_26,
    STANDBY,
    TO_AN_ALIAS_25,
)
from .reads import (
    BY_ID_THEN_NAME,
    DATABASE_FIRST,
    FROM_MEMORY,
    MISSING_WITH_CODE,
    MISSING_WITHOUT_CODE,
    NAME_BY_ID,
    ONLY_GRANTED,
    RIGHTS_BY_REQUEST,
    VERSION,
)
from .worn import Difference, Skin, Worn

__all__ = ["NAMED", "NONE", "SKINS", "V30", "V2518", "V2620", "Difference", "Skin", "Worn"]

EVERY = (VERSION, FROM_MEMORY, ONLY_GRANTED)
SINCE_26 = (STANDBY, RENAME_26, ALIASES_INVALID, PARAMETER, LATE)

NONE = Skin("none")
V2518 = Skin(
    "v2518",
    "v2.5.18",
    (
        *EVERY,
        BY_ID_THEN_NAME,
        MISSING_WITHOUT_CODE,
        DATABASE_FIRST,
        TO_AN_ALIAS_25,
        ALIASES_UNSORTED,
    ),
)
V2620 = Skin(
    "v2620",
    "v2.6.20",
    (*EVERY, BY_ID_THEN_NAME, MISSING_WITHOUT_CODE, DATABASE_FIRST, *SINCE_26),
)
V30 = Skin(
    "v30",
    "v3.0.1",
    (*EVERY, RIGHTS_BY_REQUEST, NAME_BY_ID, MISSING_WITH_CODE, DATABASE_FIRST, *SINCE_26),
)
SKINS = (NONE, V2518, V2620, V30)
NAMED = {skin.name: skin for skin in SKINS}
