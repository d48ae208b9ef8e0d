"""What depends on the version of a Milvus server. One table; docs/compatibility.md shows it.

Every row names its source: an issue or pull request of github.com/milvus-io/milvus. Rows are read,
not run, unless the page says otherwise.
"""

import re
from dataclasses import dataclass
from enum import Enum
from functools import total_ordering
from typing import Self

TEXT = re.compile(
    r"(?:pkg/)?v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?![.\d])(?:[-.]?(rc|alpha|beta)[-.]?(\d{0,9}))?"
)
FINAL = "~"  # sorts after every name of a pre-release
LITE = "milvus_lite"


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """One release of the Milvus server. A pre-release comes before its release."""

    major: int
    minor: int
    patch: int
    stage: str = FINAL
    number: int = 0

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The version in what a server answers to GetVersion, or None.

        Milvus up to 2.5.5 answers `git describe` ("v2.3.5-lite" is the real server from PyPI, and
        2.5.5 says "pkg/v2.5.5": #40216), then a number in the source, and from 2.6.13 on the tag
        of its image (#47822): "2.6.13", or "2.6-20260601-0123456789" for a build between releases,
        which is None. Milvus Lite ("milvus_lite-3.2.2") counts its own versions and is None.
        """
        found = TEXT.match(text.strip().lower())
        if not found:
            return None
        major, minor, patch, stage, number = found.groups()
        return cls(int(major), int(minor), int(patch), stage or FINAL, int(number or 0))

    def __lt__(self, other: "Version") -> bool:
        return self._key < other._key

    def __str__(self) -> str:
        stage = "" if self.stage == FINAL else f"-{self.stage}{self.number or ''}"
        return f"{self.major}.{self.minor}.{self.patch}{stage}"

    @property
    def line(self) -> tuple[int, int]:
        """The release line: 2.6 of 2.6.12."""
        return self.major, self.minor

    @property
    def _key(self) -> tuple[int, int, int, str, int]:
        return self.major, self.minor, self.patch, self.stage, self.number


NEWEST_KNOWN = Version(3, 0, 1)  # 2026-09-09
# The newest release of each line whose source or issues were read, and the oldest such line.
NEWEST_OF_LINE = {v.line: v for v in (Version(2, 5, 26), Version(2, 6, 20), NEWEST_KNOWN)}
OLDEST_LINE = min(NEWEST_OF_LINE)


class Safety(Enum):
    """Whether a collection may be renamed for a while, as strict mode does."""

    SAFE = "safe"
    WARNING = "warning"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """SAFE, or what is known against it: a sentence for people, and the issue of Milvus."""

    safety: Safety
    reason: str = ""
    issue: str = ""  # "#43407"; several are separated by ", "; "" if no issue is about it

    @property
    def text(self) -> str:
        """The sentence with its issue numbers; "" if it is SAFE."""
        word = "issues" if "," in self.issue else "issue"
        issue = f" (Milvus {word} {self.issue})" if self.issue else ""
        return f"{self.reason}{issue}." if self.reason else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What holds from `first` on and before `end`."""

    first: Version
    end: Version
    verdict: Verdict
    source: str

    def covers(self, version: Version) -> bool:
        return self.first <= version < self.end


BEGINNING = Version(0, 0, 0)
LOSES = Verdict(
    safety=Safety.REFUSED,
    reason=(
        "On this version a rename may lose the collection's metadata, and with it the data; 2.5.15 "
        "and 2.6.0 have the fix"
    ),
    issue="#43407",
)
# The first row that covers a version counts; a version that none covers is safe.
RENAME = (
    Row(
        first=Version(2, 5, 14),
        end=Version(2, 5, 15),
        verdict=LOSES,
        source=(
            "issue #43407; cause #42876 (2025-06-23): kv_catalog.go, AlterCollectionDB saves a key "
            "and removes it; fix #43421; release notes of 2.5.15"
        ),
    ),
    Row(
        first=Version(2, 6, 0, "alpha"),
        end=Version(2, 6, 0),
        verdict=LOSES,
        source=(
            "issue #43407 names master; cause #42875 (2025-06-23), fix #43420 (2025-07-18). Builds "
            "of that time say 2.6.0-rc.1, also those between the release candidate and the cause"
        ),
    ),
    Row(
        first=BEGINNING,
        end=Version(2, 6, 11),
        verdict=Verdict(
            safety=Safety.WARNING,
            reason=(
                "Below 2.6.12, grants on a collection's name do not follow a rename. Below 2.6.11, "
                "a collection that was once moved between databases may stay invisible after a "
                "rename until Milvus is restarted"
            ),
            issue="#47850, #47718",
        ),
        source="issues #47850, #48062; issue #47718, fix #47721 (2026-02-10), in 2.6.11",
    ),
    Row(
        first=Version(2, 6, 11),
        end=Version(2, 6, 12),
        verdict=Verdict(
            safety=Safety.WARNING,
            reason=(
                "Below 2.6.12, grants on a collection's name do not follow a rename (a server that "
                "answers 2.6.11 may be 2.6.12)"
            ),
            issue="#47850",
        ),
        source=(
            "issue #47850; still so on 2.6.11 by issue #48062; fix #48151 (2026-03-10), in 2.6.12 "
            "by its commit fe3558a; 2.6.12 answers 2.6.11: issue #48365"
        ),
    ),
)
ON_LITE = Verdict(
    safety=Safety.REFUSED,
    reason="Milvus Lite has no ids, so nothing tells what was renamed from a namesake",
)
UNREADABLE = Verdict(
    safety=Safety.REFUSED,
    reason=(
        "The version of this server can't be read, so it may be one on which a rename loses the "
        "collection's metadata"
    ),
    issue="#43407",
)
# An accepted drop, rename or truncation is a broadcast that Milvus stores and carries out however
# long it takes, also after a restart: issue #43897; #45025, #45241, #45280 (2025-11-03 and 04), in
# 2.6.6 by #45738. A pre-release counts as its release, because waiting longer does no harm.
DURABLE_DDL = Version(2, 6, 6, "alpha")


def rename_verdict(text: str) -> Verdict:
    """Whether a rename is safe on the server that answers `text` to GetVersion.

    A newer version than known gets the verdict of the newest known one. A text without a version
    is REFUSED: what a rename may destroy there weighs more than a mode that is not available.
    """
    version = Version.parse(text)
    if version is None:
        return ON_LITE if is_lite(text) else UNREADABLE
    rows = (row.verdict for row in RENAME if row.covers(version))
    return next(rows, Verdict(safety=Safety.SAFE))


def has_durable_ddl(text: str) -> bool:
    """Whether an accepted drop is carried out sooner or later, however late: from 2.6.6 on.

    True for a text without a version: "not done so far" is true of every server, while "failed"
    would be false of a server that drops an hour later. False for Milvus Lite, which queues
    nothing.
    """
    version = Version.parse(text)
    return not is_lite(text) if version is None else version >= DURABLE_DDL


def is_newer_than_known(text: str) -> bool:
    """Whether this version is later than every one known of its line (2.6.21, 3.0.2, 3.1.0).

    False for a text without a version, and for lines before 2.5, which have ended.
    """
    version = Version.parse(text)
    if version is None or version.line < OLDEST_LINE:
        return False
    newest = NEWEST_OF_LINE.get(version.line)
    return newest is None or version > newest


def is_lite(text: str) -> bool:
    """Whether this is Milvus Lite. The PyPI build of the real server, "v2.3.5-lite", is not."""
    return text.strip().lower().startswith(LITE)
