"""The doctor on every database of a cluster: one line per finding, not per database."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from collections_app.milvus import visibility
from collections_app.milvus.sdk import pb
from milvusadmin.doctor import databases, milvus
from milvusadmin.doctor.findings import Finding, State
from tests.fixtures import cluster_at, rule
from tests.infra.milvus_server import MilvusServer
from tests.infra.relay import Relay
from tests.infra.seeds import Seeds
from tests.web import milvus_user


@pytest.fixture
def relay(milvus_server: MilvusServer) -> Iterator[Relay]:
    visibility.forget()  # a port may come back
    with Relay(milvus_server.address) as made:
        yield made


def found(relay: Relay, token: str) -> list[Finding]:
    return list(milvus.look(cluster_at(f"http://127.0.0.1:{relay.port}", token)))


def about(findings: list[Finding], words: str) -> Finding:
    (one,) = [finding for finding in findings if words in finding.text]
    return one


def lists(relay: Relay, *names: str) -> None:
    """From now on these are the databases."""
    relay.answer(
        "ListDatabases", lambda _: pb.ListDatabasesResponse(db_names=names).SerializeToString()
    )


def test_databases_with_the_same_finding_share_a_line(
    relay: Relay, milvus_server: MilvusServer, make_collection: Seeds
) -> None:
    lists(relay, "default", *sorted(make_collection.database() for _ in range(3)))
    line = about(found(relay, milvus_server.token), "every privilege that Milvus Admin uses")
    assert (line.state, line.text) == (
        State.OK,
        "root has every privilege that Milvus Admin uses in all 4 databases",
    )


def test_databases_lacking_a_privilege_are_all_in_the_remedy(
    relay: Relay, milvus_server: MilvusServer, make_collection: Seeds
) -> None:
    names = sorted(make_collection.database() for _ in range(3))
    lists(relay, *names)
    with milvus_user(milvus_server) as token:
        line = about(found(relay, token), "lacks")
    assert "in all 3 databases" in line.text
    assert "ListDatabases" not in line.text, "that one belongs to default"
    assert f'"*", db_name=database) for database in {names}' in line.remedy


@pytest.mark.parametrize(
    ("names", "total", "where"),
    [
        (["a"], 1, "in a"),
        (["a"], 3, "in a"),
        (["a", "b"], 2, "in all 2 databases"),
        (list("abcde"), 9, "in a, b, c, d, e"),
        (list("abcdefg"), 9, "in a, b, c, d, e and 2 more"),
    ],
)
def test_databases_line_names_five_at_most(names: list[str], total: int, where: str) -> None:
    assert databases._where(names, total) == where


def test_denied_read_shows_the_message_of_milvus(relay: Relay, milvus_server: MilvusServer) -> None:
    """From 2.4 on the message ends with the database."""
    denial = "PrivilegeGetStatistics: permission deny to root in the `default` database"
    lists(relay, "default")
    relay.fail("GetCollectionStatistics", grpc.StatusCode.PERMISSION_DENIED, denial)
    line = about(found(relay, milvus_server.token), "lacks GetStatistics")
    assert f"Milvus said: {denial}" in line.remedy


def test_databases_beyond_the_limit_are_counted(
    relay: Relay, milvus_server: MilvusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "EXAMINED", 2)
    lists(relay, "default", "nosuch_1", "nosuch_2")
    findings = found(relay, milvus_server.token)
    assert about(findings, "only the first 2 of 3 databases").state == State.WARNING
    assert about(findings, "in all 2 databases").state == State.OK


def test_database_in_a_rule_but_not_in_milvus_is_named(
    relay: Relay, milvus_server: MilvusServer, settings: Any
) -> None:
    settings.ACCESS = (
        rule("team", "view", databases=("default", "serch", "search_*")),
        rule("team", "view", clusters=("other",), databases=("theirs",)),
    )
    line = about(found(relay, milvus_server.token), "access rules name serch")
    assert (line.state, "spelling" in line.remedy) == (State.WARNING, True)


def test_databases_that_may_not_be_listed_are_those_of_the_rules(
    relay: Relay, milvus_server: MilvusServer, make_collection: Seeds, settings: Any
) -> None:
    database = make_collection.database()
    settings.ACCESS = (rule("team", "view", databases=(database,)),)
    with milvus_user(milvus_server) as token:
        findings = found(relay, token)
    lacking = about(findings, "lacks GetStatistics")
    assert f"in {database}" in lacking.text
    assert "ListDatabases" not in lacking.text
    assert about(findings, "can't list databases").state == State.WARNING


def test_lists_that_may_be_incomplete_are_a_warning(
    relay: Relay, milvus_server: MilvusServer
) -> None:
    version = pb.GetVersionResponse(version="v2.6.20").SerializeToString()
    relay.answer("GetVersion", lambda _: version)
    with milvus_user(milvus_server) as token:
        findings = found(relay, token)
    line = about(findings, "may be incomplete")
    assert "was granted" in line.text
    assert "does not mean that the database is empty" in line.remedy
    assert not [f for f in found(relay, milvus_server.token) if "may be incomplete" in f.text]
