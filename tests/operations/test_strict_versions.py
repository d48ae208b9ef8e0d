"""Strict mode renames only where the version of Milvus allows it.

The relay rewrites what the real Milvus answers to GetVersion.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from pymilvus.grpc_gen import milvus_pb2 as pb

from collections_app import clusters
from collections_app.audit.log import Outcome
from collections_app.clusters import Milvus
from collections_app.milvus.types import Kind
from collections_app.milvus.versions import LOSES, ON_LITE, RENAME, UNREADABLE
from collections_app.operations.kinds.drop_collection import DropCollection
from collections_app.operations.protocol import OperationRejected
from tests.infra.chain import Chain
from tests.infra.seeds import Seeds
from tests.operations.conftest import Thing, carry_out, consent, target_in, told
from tests.web import Page, act_url

pytestmark = [pytest.mark.django_db(transaction=True)]
DESTROYING = ("RenameCollection", "DropCollection", "DropPartition")
CLOUD = "Some Cloud (compatible with Milvus 2.5)"


@pytest.fixture
def thing(make_collection: Seeds) -> Thing:
    return Thing.make(make_collection, Kind.COLLECTION)


@pytest.fixture
def strict(use_cluster: Callable[..., Milvus], chain: Chain) -> Milvus:
    return use_cluster(chain.uri, chain.token, strict_drop=True)


def answer_version(chain: Chain, text: str) -> None:
    reply = pb.GetVersionResponse(version=text).SerializeToString()
    chain.relay.answer("GetVersion", lambda _: reply)


def sent(chain: Chain) -> list[str]:
    return [call for call in chain.relay.calls if call in DESTROYING]


def looked_at(thing: Thing) -> Any:
    return DropCollection().read_state(clusters.get("main").gateway, thing.target)


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("v2.5.14", LOSES.text),
        ("2.6.0-rc.1", LOSES.text),
        (CLOUD, UNREADABLE.text),
    ],
)
def test_strict_drop_on_refused_version_is_blocked(
    version: str, reason: str, thing: Thing, strict: Milvus, chain: Chain
) -> None:
    answer_version(chain, version)
    (blocker,) = looked_at(thing).blockers
    assert reason in blocker.text
    assert "#43407" in blocker.text
    with pytest.raises(CommandError) as caught:
        call_command(*thing.command)
    assert caught.value.returncode == 3
    assert reason.rstrip(".") in str(caught.value)
    assert (sent(chain), told()) == ([], ["rejected blocked"])
    assert thing.is_there()


def test_dialog_on_refused_version_shows_the_issue_and_no_form(
    thing: Thing, strict: Milvus, chain: Chain, signed_in: Callable[..., Client]
) -> None:
    answer_version(chain, "v2.5.14")
    page = Page(signed_in("operator").get(act_url("drop-collection", thing.target.name)))
    assert LOSES.text in page.text
    assert "#43407" in page.text
    assert not page.find("input", name="typed_name")
    assert sent(chain) == []


def test_server_replaced_by_a_refused_version_gets_no_rename(
    thing: Thing, strict: Milvus, chain: Chain
) -> None:
    confirmation = consent(thing.target)
    answer_version(chain, "v2.5.14")
    with pytest.raises(OperationRejected) as caught:
        carry_out(confirmation)
    assert caught.value.outcome is Outcome.BLOCKED
    assert (sent(chain), told()) == ([], ["rejected blocked"])


def test_drop_without_strict_mode_on_refused_version_is_sent(
    thing: Thing, faulty: Milvus, chain: Chain
) -> None:
    answer_version(chain, "v2.5.14")
    assert looked_at(thing).blockers == ()
    assert not any("rename" in note for note in looked_at(thing).notes)
    assert carry_out(consent(thing.target)) is Outcome.SUCCEEDED
    assert sent(chain) == ["DropCollection"]


def test_partition_on_a_refused_version_is_dropped(
    make_collection: Seeds, strict: Milvus, chain: Chain
) -> None:
    answer_version(chain, "v2.5.14")
    partition = Thing.make(make_collection, Kind.PARTITION)
    assert carry_out(consent(partition.target)) is Outcome.SUCCEEDED
    assert sent(chain) == ["DropPartition"]


@pytest.mark.parametrize(
    ("version", "risks"),
    [
        ("v2.3.5-lite", [RENAME[2].verdict.text]),
        ("2.5.15", [RENAME[2].verdict.text]),
        ("2.6.11", [RENAME[3].verdict.text]),
        ("2.6.12", []),
        ("3.0.1", []),
        ("4.0.0", []),
    ],
)
def test_strict_dialog_notes_what_is_known_against_a_rename(
    version: str, risks: list[str], thing: Thing, strict: Milvus, chain: Chain
) -> None:
    answer_version(chain, version)
    look = looked_at(thing)
    assert look.blockers == ()
    assert [note for note in look.notes if "(Milvus issue" in note] == risks


def test_strict_drop_on_unlisted_newer_version_is_carried_out(
    thing: Thing, strict: Milvus, chain: Chain
) -> None:
    answer_version(chain, "4.0.0")
    assert carry_out(consent(thing.target)) is Outcome.SUCCEEDED
    assert sent(chain) == ["RenameCollection", "DropCollection"]


def test_strict_drop_on_milvus_lite_says_that_it_has_no_ids(
    use_cluster: Callable[..., Milvus], lite_uri: str
) -> None:
    milvus = use_cluster(lite_uri, strict_drop=True)
    milvus.gateway._connection.client("default").create_collection("book", dimension=4)
    look = DropCollection().read_state(milvus.gateway, target_in("book", Kind.COLLECTION))
    (blocker,) = look.blockers
    assert ON_LITE.text in blocker.text
