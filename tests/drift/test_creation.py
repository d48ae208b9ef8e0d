"""What Milvus Admin creates again is no news; what others do to it then is."""

import pytest

from collections_app.access.policy import Action
from collections_app.audit.log import Outcome
from collections_app.milvus.types import Kind, Target
from collections_app.operations.confirmation import under_name
from tests.fixtures import actor
from tests.operations.conftest import carry_out, consent

from .conftest import Watched, seen

pytestmark = pytest.mark.django_db(transaction=True)
CREATOR = actor("ada", ("operator", "creator"))


def dropped(begun: Watched) -> Target:
    """Drop it; what a creation from that drop is aimed at."""
    target = begun.target()
    drop = consent(target)
    assert carry_out(drop) is Outcome.SUCCEEDED
    return Target(
        cluster=target.cluster,
        database=target.database,
        kind=Kind.NEW,
        collection=target.collection,
        name=str(drop.operation_id),
    )


def create(new: Target, name: str) -> None:
    confirmation = under_name(consent(new, Action.CREATE, CREATOR), name)
    assert carry_out(confirmation, CREATOR) is Outcome.SUCCEEDED


@pytest.mark.parametrize("name", ["book", "book_again"])
@pytest.mark.parametrize("between", [True, False], ids=["listed between", "at once"])
def test_creation_is_no_news(begun: Watched, name: str, between: bool) -> None:
    new = dropped(begun)
    if between:
        begun.look()
    create(new, name)
    assert begun.look().events == {}
    assert seen() == []
    begun.drop(name)
    begun.look()
    assert seen() == [f"gone {name}"]


def test_namesake_of_what_was_created_is_news(begun: Watched) -> None:
    create(dropped(begun), "book")
    begun.drop("book")
    begun.add("book")
    begun.look()
    assert seen() == ["appeared book"]
