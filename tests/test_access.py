"""Who may do what: written out, so that a change of the rules is a change of this table."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import RequestFactory

from collections_app import roles
from collections_app.access import Action, may
from collections_app.actors import actor_of
from tests.fixtures import actor

DROPS_OF_COLLECTIONS = {Action.DROP_COLLECTION, Action.RELEASE_COLLECTION, Action.DROP_ALIAS}
DROPS_OF_PARTITIONS = {Action.DROP_PARTITION, Action.RELEASE_PARTITION}
ALLOWED = {
    (): set(),
    ("view_milvus",): {Action.VIEW},
    ("read_audit",): {Action.READ_AUDIT},
    ("drop_collection",): {Action.VIEW} | DROPS_OF_COLLECTIONS,
    ("drop_partition",): {Action.VIEW} | DROPS_OF_PARTITIONS,
    ("view_milvus", "read_audit"): {Action.VIEW, Action.READ_AUDIT},
    ("*",): set(Action),
    ("add_user", "change_auditevent", "view"): set(),
}


@pytest.mark.parametrize(
    ("rights", "allowed"), ALLOWED.items(), ids=lambda names: "+".join(sorted(names)) or "none"
)
def test_a_right_allows_this_and_nothing_else(
    rights: tuple[str, ...], allowed: set[Action]
) -> None:
    assert {action for action in Action if may(actor(rights=rights), action)} == allowed


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("viewer", {Action.VIEW}),
        ("operator", {Action.VIEW} | DROPS_OF_COLLECTIONS | DROPS_OF_PARTITIONS),
        ("auditor", {Action.READ_AUDIT}),
        ("outsider", set()),
    ],
)
def test_a_role_allows_what_its_name_says(
    role: str, allowed: set[Action], people: dict[str, Any]
) -> None:
    request = RequestFactory().get("/")
    request.user = people[role]
    person = actor_of(request)
    assert {action for action in Action if may(person, action)} == allowed
    assert person.key == f"local|{role}"
    assert person.groups == ((role,) if role != "outsider" else ())


@pytest.mark.django_db
def test_rights_of_other_apps_give_nothing_here() -> None:
    user = get_user_model().objects.create_user("clerk")
    user.user_permissions.set(Permission.objects.exclude(content_type__app_label="collections_app"))
    request = RequestFactory().get("/")
    request.user = user
    assert not any(may(actor_of(request), action) for action in Action)


@pytest.mark.django_db
def test_a_role_that_was_changed_by_hand_stays_changed() -> None:
    """roles.ensure runs after every migration, and must not give back what was taken away."""
    from django.contrib.auth.models import Group

    roles.ensure()
    operator = Group.objects.get(name="operator")
    operator.permissions.remove(Permission.objects.get(codename="drop_collection"))
    roles.ensure()
    assert sorted(operator.permissions.values_list("codename", flat=True)) == [
        "drop_partition",
        "view_milvus",
    ]
