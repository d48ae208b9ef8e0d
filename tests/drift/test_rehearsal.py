"""Collections of a rehearsal are no drift while it runs."""

import uuid

import pytest

from collections_app.access.principals import Caller
from collections_app.audit.log import Outcome
from collections_app.clusters import Milvus
from collections_app.milvus.scratch import root_of
from collections_app.models import WatchedDatabase
from collections_app.rehearsal import record
from collections_app.rehearsal.run import new_run
from tests.drift.conftest import Watched, seen

pytestmark = pytest.mark.django_db(transaction=True)


def test_rehearsal_in_progress_records_no_drift(begun: Watched, real: Milvus) -> None:
    run = new_run(real, begun.database, "v2.3.5")
    record.began(run, Caller.shell())
    begun.add(f"{run.root}_plain")
    begun.look()
    begun.client.drop_collection(f"{run.root}_plain", timeout=10)
    begun.look()
    assert seen() == []
    assert not WatchedDatabase.objects.filter(database=run.root).exists()


def test_rehearsal_name_after_its_cleanup_is_recorded(begun: Watched, real: Milvus) -> None:
    run = new_run(real, begun.database, "v2.3.5")
    record.began(run, Caller.shell())
    details = {"removed_everything": True}
    record.write(record.ENDED, run, Caller.shell(), "", Outcome.SUCCEEDED, details)
    begun.add(f"{run.root}_plain")
    begun.look()
    assert seen() == [f"appeared {run.root}_plain"]


def test_rehearsal_name_of_no_rehearsal_is_recorded(begun: Watched) -> None:
    name = f"{root_of(uuid.uuid4())}_plain"
    begun.add(name)
    begun.look()
    assert seen() == [f"appeared {name}"]
