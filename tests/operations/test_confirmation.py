"""The signed token of a dialog: for one user, one target, one action, and a limited time."""

import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.core import signing

from collections_app.access.policy import Action
from collections_app.milvus.types import Identity, Kind, Target
from collections_app.operations.confirmation import (
    SALT,
    Confirmation,
    Expired,
    Forged,
    read,
    sign,
)
from tests.fixtures import actor

ADA = actor("ada")
TARGET = Target(cluster="main", database="default", kind=Kind.PARTITION, collection="c", name="p")
GIVEN = Confirmation(
    operation_id=uuid4(),
    action=Action.DROP_PARTITION,
    target=TARGET,
    identity=Identity(id=449, created_ms=1_700_000_000_000),
    endpoint="http://milvus.example:19530",
    actor_key=ADA.key,
)


def read_as_given(token: str, **changes: Any) -> Confirmation:
    """Read it as the request would that it was given for, but for `changes`."""
    return read(token, **{"action": GIVEN.action, "target": TARGET, "actor": ADA, **changes})


@pytest.mark.parametrize(
    "identity",
    [GIVEN.identity, Identity(fingerprint="a1b2c3"), Identity(id=2**62, created_ms=None)],
    ids=["real", "lite", "no time"],
)
def test_token_read_back_equals_the_confirmation(identity: Identity) -> None:
    given = replace(GIVEN, identity=identity)
    assert read_as_given(sign(given)) == given


@pytest.mark.parametrize(
    "name", ["a b ", "tab\there", 'x" onload="', "übersicht_日本", "\U0001f600"]
)
def test_token_with_any_name_is_read_back(name: str) -> None:
    target = replace(TARGET, name=name)
    given = replace(GIVEN, target=target)
    assert read_as_given(sign(given), target=target) == given


def test_token_of_each_dialog_has_its_own_operation_id() -> None:
    other = replace(GIVEN, operation_id=uuid4())
    assert read_as_given(sign(other)).operation_id == other.operation_id != GIVEN.operation_id


@pytest.mark.parametrize("part", [0, 1, 2], ids=["content", "time", "signature"])
def test_token_changed_in_any_part_is_forged(part: int) -> None:
    parts = sign(GIVEN).split(":")
    assert len(parts) == 3
    middle = len(parts[part]) // 2
    swapped = "A" if parts[part][middle] != "A" else "B"
    parts[part] = parts[part][:middle] + swapped + parts[part][middle + 1 :]
    with pytest.raises(Forged, match="signature"):
        read_as_given(":".join(parts))


@pytest.mark.parametrize("token", ["", "x", "a:b:c", "::", sign(GIVEN)[:-1], "\x00" * 9])
def test_token_malformed_is_forged(token: str) -> None:
    with pytest.raises(Forged):
        read_as_given(token)


@pytest.mark.parametrize("salt", ["django.core.signing", "session"])
def test_token_signed_for_another_purpose_is_forged(salt: str) -> None:
    content = signing.loads(sign(GIVEN), salt=SALT)
    with pytest.raises(Forged, match="signature"):
        read_as_given(signing.dumps(content, salt=salt, compress=True))


def test_token_of_another_installation_is_forged(settings: Any) -> None:
    token = sign(GIVEN)
    settings.SECRET_KEY = "another-installation-" * 3
    with pytest.raises(Forged, match="signature"):
        read_as_given(token)


def test_token_past_its_lifetime_is_expired(settings: Any) -> None:
    settings.CONFIRMATION_SECONDS = 60
    token = sign(GIVEN)
    assert read_as_given(token) == GIVEN
    settings.CONFIRMATION_SECONDS = -1
    with pytest.raises(Expired):
        read_as_given(token)


@pytest.mark.parametrize(("age", "counts"), [(890, True), (910, False)])
def test_token_counts_for_fifteen_minutes(
    age: int, counts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = signing.time.time()
    monkeypatch.setattr(signing.time, "time", lambda: now - age)
    token = sign(GIVEN)
    monkeypatch.setattr(signing.time, "time", lambda: now)
    if counts:
        assert read_as_given(token) == GIVEN
    else:
        with pytest.raises(Expired):
            read_as_given(token)


@pytest.mark.parametrize(
    "other",
    [actor("grace"), replace(ADA, issuer="elsewhere"), replace(ADA, subject="Ada")],
    ids=["another person", "same name elsewhere", "other spelling"],
)
def test_token_of_another_user_is_forged(other: Any) -> None:
    with pytest.raises(Forged, match="another user"):
        read_as_given(sign(GIVEN), actor=other)


def test_token_after_a_changed_display_name_still_counts() -> None:
    assert read_as_given(sign(GIVEN), actor=replace(ADA, display="Ada Lovelace")) == GIVEN


@pytest.mark.parametrize(
    "change",
    [
        {"cluster": "prod"},
        {"database": "other"},
        {"kind": Kind.ALIAS},
        {"collection": "c2"},
        {"name": "p "},
        {"name": "P"},
    ],
    ids=str,
)
def test_token_for_another_target_is_forged(change: dict[str, Any]) -> None:
    with pytest.raises(Forged, match="another operation"):
        read_as_given(sign(GIVEN), target=replace(TARGET, **change))


@pytest.mark.parametrize("action", [a for a in Action if a is not GIVEN.action], ids=str)
def test_token_for_another_action_is_forged(action: Action) -> None:
    with pytest.raises(Forged, match="another operation"):
        read_as_given(sign(GIVEN), action=action)


def test_token_holds_no_secret(settings: Any) -> None:
    content = json.dumps(signing.loads(sign(GIVEN), salt=SALT))
    assert settings.SECRET_KEY not in content
    assert set(json.loads(content)) == set(Confirmation.__dataclass_fields__)
