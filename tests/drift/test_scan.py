"""External changes to a real Milvus, and the events that record them."""

import json
from typing import Any

import pytest

from collections_app import clusters
from collections_app.audit.verify import verify
from collections_app.clusters import Milvus
from collections_app.drift.scan import scan
from collections_app.models import AuditEvent, SeenCollection, WatchedDatabase
from tests.infra.seeds import Seeds, unique_name
from tests.infra.skins import NONE, V2620

from .conftest import Watched, seen

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.both_databases,
    pytest.mark.usefixtures("real"),
    pytest.mark.skins(NONE),
]
as_2620 = pytest.mark.skins(NONE, V2620)  # what is missing has no code there, nor on 2.5.18


def records() -> list[dict[str, Any]]:
    return [json.loads(e.record) for e in AuditEvent.objects.order_by("sequence")]


def test_first_scan_fills_the_inventory_and_records_its_start(watched: Watched) -> None:
    ids = {watched.add("book"), watched.add("film")}
    assert watched.look().events == {"watch.began": 1}
    assert seen() == []
    (record,) = records()
    assert record["message"].startswith("The watch begins here, with 2 collections.")
    assert record["target"]["database"] == record["target"]["name"] == watched.database
    assert set(SeenCollection.objects.values_list("collection_id", flat=True)) == ids
    assert watched.look().events == {}


@as_2620
def test_external_changes_are_recorded_once(begun: Watched) -> None:
    old = begun.id_of("book")
    begun.add("film")
    begun.drop("book")
    assert begun.look().events == {"collection.gone": 1, "collection.appeared": 1}
    assert sorted(seen()) == ["appeared film", "gone book"]
    assert begun.look().events == {}
    gone = next(r for r in records() if r["action"] == "collection.gone")
    assert gone["details"]["identity"]["id"] == old
    assert gone["outcome"] == "external"
    assert "No operation here did that, so who did it is not known." in gone["message"]
    assert gone["actor"]["method"] == gone["origin"]["interface"] == "watch"
    assert gone["actor"]["issuer"].startswith("watch:")
    assert gone["details"]["last_listed"] < gone["details"]["found"] < gone["recorded_at"]
    assert not verify().broken


@as_2620
def test_name_of_any_length_is_recognised(begun: Watched) -> None:
    """Milvus takes 255 characters with trailing spaces, which PostgreSQL would cut off silently."""
    begun.add(name := unique_name("long").ljust(255, "x") + "  ")
    assert begun.look().events == {"collection.appeared": 1}
    assert begun.look().events == {}
    begun.drop(name)
    assert begun.look().events == {"collection.gone": 1}


@as_2620
def test_collection_replaced_is_one_event_with_both_ids(begun: Watched) -> None:
    old = begun.id_of("book")
    begun.drop()
    new = begun.add("book")
    begun.look()
    assert seen() == ["replaced book"]
    details = records()[-1]["details"]
    assert (details["before"]["id"], details["identity"]["id"]) == (old, new)
    assert begun.look().events == {}


def test_rename_is_one_event_per_name(begun: Watched) -> None:
    id_ = begun.id_of("book")
    begun.rename("book", "tome")
    begun.look()
    assert seen() == ["renamed book", "renamed tome"]
    away, here = records()[-2:]
    assert away["details"]["identity"]["id"] == here["details"]["identity"]["id"] == id_
    assert "tome" not in json.dumps(away), "who may see the one name only must not learn the other"
    assert "book" not in json.dumps(here)
    assert begun.look().events == {}


def test_collections_that_swap_names_are_two_renames(begun: Watched) -> None:
    begun.add("film")
    begun.look()
    for old, new in (("book", "x"), ("film", "book"), ("x", "film")):
        begun.rename(old, new)
    begun.look()
    assert sorted(seen()[1:]) == ["renamed book", "renamed book", "renamed film", "renamed film"]
    assert begun.look().events == {}


@as_2620
def test_rename_to_the_name_of_a_dropped_one_is_recorded(begun: Watched) -> None:
    begun.add("film")
    begun.look()
    begun.drop("book")
    begun.rename("film", "book")
    begun.look()
    assert sorted(seen()[1:]) == ["renamed book", "renamed film", "replaced book"]
    assert begun.look().events == {}


def test_move_to_another_database_is_a_rename(begun: Watched, make_collection: Seeds) -> None:
    other = make_collection.database()
    begun.look(other)
    begun.rename("book", "tome", other)
    begun.look(other)
    assert seen() == ["renamed book", "renamed tome"]
    assert [r["target"]["database"] for r in records()[-2:]] == [begun.database, other]
    assert begun.look(other).events == {}


def test_move_to_a_new_database_is_a_rename(begun: Watched, make_collection: Seeds) -> None:
    other = make_collection.database()
    begun.rename("book", "tome", other)
    begun.look(other)
    assert seen() == ["renamed book", "renamed tome"]
    assert begun.look(other).events == {}


@as_2620
def test_dropped_database_takes_its_collections_along(begun: Watched) -> None:
    begun.drop("book")
    begun.seeds.server.client().drop_database(begun.database, timeout=10)
    begun.look()
    assert seen() == ["gone book", f"gone {begun.database}"]
    assert not WatchedDatabase.objects.exists()
    report = begun.look()
    assert report.events == {}
    assert "is not there" in report.problems[0]


@as_2620
def test_database_created_again_begins_anew(begun: Watched) -> None:
    begun.drop("book")
    begun.seeds.server.client().drop_database(begun.database, timeout=10)
    begun.look()
    begun.seeds.server.client().create_database(begun.database, timeout=10)
    assert begun.look().events == {"watch.began": 1}


def test_changed_address_begins_anew_with_nothing_gone(
    begun: Watched, milvus_server: Any, use_cluster: Any
) -> None:
    former = clusters.get("main").cluster.uri
    use_cluster(former.replace("127.0.0.1", "localhost"), milvus_server.token)
    begun.drop("book")
    assert begun.look().events == {"watch.began": 1}
    assert former in records()[-1]["message"]
    assert "The watch begins here, with 0 collections." in records()[-1]["message"]
    assert begun.look().events == {}


def test_database_of_the_former_address_only_is_not_gone(
    begun: Watched, milvus_server: Any, use_cluster: Any, make_collection: Seeds
) -> None:
    other = make_collection.database()
    former = clusters.get("main").cluster.uri
    use_cluster(former.replace("127.0.0.1", "localhost"), milvus_server.token)
    begun.drop("book")
    begun.seeds.server.client().drop_database(begun.database, timeout=10)
    scan(clusters.get("main"), ())
    assert begun.database not in {r["target"]["database"] for r in records()[1:]}
    assert other in {r["target"]["database"] for r in records()[1:]}


def test_scan_of_one_database_is_one_call(begun: Watched, faulty: Milvus, chain: Any) -> None:
    begun.look()
    before = len(chain.relay.calls)
    begun.look()
    assert chain.relay.calls[before:] == ["ShowCollections"]


def test_scan_without_a_limit_covers_every_database(begun: Watched, faulty: Milvus) -> None:
    scan(faulty)
    assert {"default", begun.database} <= set(
        WatchedDatabase.objects.values_list("database", flat=True)
    )
