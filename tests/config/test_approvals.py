"""The rule of approvals: what could never be met, or has a way round, stops the start."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from collections_app.access.policy import Rule
from collections_app.milvus.types import Cluster
from milvusadmin.config.approvals import check, overlap
from milvusadmin.config.clusters import config_from
from tests.fixtures import rule

URI = "http://milvus.example:19530"


def cluster(key: str = "prod", **changes: Any) -> Cluster:
    return Cluster(key=key, label=key, uri=URI, **{"approvals": 1, **changes})


def problem(access: tuple[Rule, ...], *clusters: Cluster) -> str:
    try:
        check({one.key: one for one in clusters}, access)
    except ImproperlyConfigured as exc:
        return str(exc)
    return ""


NOBODY = {
    "no rule": (),
    "no rule with approve": (rule("team", "drop", "view", "purge", "audit"),),
    "another cluster": (rule("team", "approve", clusters=("test",)),),
    "another database": (rule("team", "approve", databases=("other",)),),
    "other collections": (rule("team", "approve", collections=("x*",)),),
}


@pytest.mark.parametrize("access", NOBODY.values(), ids=NOBODY)
def test_rule_that_nobody_could_meet_stops_the_start(access: tuple[Rule, ...]) -> None:
    said = problem(access, cluster(approvals_for=("default/books_*",)))
    assert said.startswith("[clusters.prod] approvals: nobody could approve anything of")
    assert 'the action "approve"' in said


@pytest.mark.parametrize(
    "where",
    [{}, {"databases": ("default",)}, {"collections": ("*_old",)}, {"clusters": ("pr*",)}],
)
def test_rule_that_somebody_could_meet_is_taken(where: dict[str, Any]) -> None:
    assert problem((rule("team", "approve", **where),), cluster(approvals_for=("books_*",))) == ""
    assert problem((rule("team", "*", **where),), cluster(approvals_for=("books_*",))) == ""


def test_pattern_without_an_approver_stops_the_start() -> None:
    access = (rule("team", "approve", collections=("a*",)),)
    assert "'b'" in problem(access, cluster(approvals_for=("a", "b")))


def test_second_key_of_a_server_with_another_rule_is_refused() -> None:
    access = (rule("team", "approve"),)
    other = cluster("again", approvals=0)
    assert "are the same server with different approvals" in problem(access, cluster(), other)
    assert problem(access, cluster(), cluster("again")) == ""


def test_patterns_without_the_number_are_a_mistake() -> None:
    assert problem((), cluster(approvals=0, approvals_for=("a",))).endswith("Add approvals = 1.")


TABLE = {"uri": URI, "approvals": 1}


def read(**changes: Any) -> Cluster:
    return config_from({"clusters": {"prod": {**TABLE, **changes}}}).clusters["prod"]


def test_rule_is_read_from_the_file() -> None:
    found = read(approvals_for=["a", "db/b"], approval_expires="2h", execution_expires="5m")
    assert (found.approvals, found.approvals_for) == (1, ("a", "db/b"))
    assert (found.approval_expires, found.execution_expires) == (7200, 300)
    assert (read().approval_expires, read().execution_expires) == (86400, 1800)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"approvals": 2}, "approvals must be 0 or 1"),
        ({"approvals": True}, "approvals must be 0 or 1"),
        ({"approvals_for": []}, "approvals_for must be a list of strings"),
        ({"approvals_for": ["a/b/c"]}, "is not a pattern"),
        ({"execution_expires": "0s"}, "execution_expires"),
    ],
)
def test_mistake_in_the_rule_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=said):
        read(**changes)


def test_environment_has_the_rule_for_the_one_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILVUS_URI", URI)
    monkeypatch.setenv("MILVUS_APPROVALS", "1")
    assert config_from({}).clusters["main"].approvals == 1


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a", "a", True),
        ("a", "b", False),
        ("*", "b", True),
        ("a*", "*b", True),
        ("a*", "b*", False),
        ("a?c", "ab?", True),
        ("a?", "a", False),
        ("*a*", "b", False),
        ("*a*", "bab", True),
        ("a*b*c", "axbyc", True),
        ("a*b", "b*a", False),
        ("*", "*", True),
        ("a", "a*", True),
        ("a**", "a", True),
        ("?*", "*?", True),
    ],
)
def test_patterns_overlap_if_a_name_fits_both(one: str, other: str, expected: bool) -> None:
    assert overlap(one, other) is expected
    assert overlap(other, one) is expected
