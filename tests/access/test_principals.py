"""The origin of a request: the recorded address, and loopback-only access."""

import json
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest
from django.test import Client

from collections_app.audit import queries
from collections_app.audit.log import Entry, Outcome, Phase, write
from collections_app.models import AuditEvent
from milvusadmin.config.peers import Peers
from tests.fixtures import actor, caller

DROP = "/clusters/main/drop-collection/?collection=book"


def recorded_ip() -> str:
    return str(json.loads(AuditEvent.objects.latest("sequence").record)["origin"]["ip"])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("trusted", "expected"), [(False, "127.0.0.1"), (True, "198.51.100.7")], ids=["direct", "proxy"]
)
def test_recorded_address_is_not_the_one_the_client_claims(
    trusted: bool, expected: str, settings: Any, signed_in: Callable[..., Client]
) -> None:
    settings.TRUST_PROXY = Peers(networks=(ip_network("127.0.0.1"),) if trusted else ())
    forwarded = "203.0.113.9, 198.51.100.7"  # the first is what the client claims
    assert signed_in("viewer").post(DROP, headers={"X-Forwarded-For": forwarded}).status_code == 403
    assert recorded_ip() == expected


@pytest.mark.django_db
@pytest.mark.parametrize("peer", ["192.0.2.2", "2001:db8::1"])
def test_loopback_only_refuses_other_machines(peer: str) -> None:
    assert (
        Client().get("/sign-in/", REMOTE_ADDR=peer, headers={"Host": "localhost"}).status_code
        == 403
    )
    for here in ("127.0.0.1", "::1", ""):
        assert Client().get("/sign-in/", REMOTE_ADDR=here).status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("who", ["Grace", "grace", "test|grace"])
def test_audit_filter_finds_people_by_name_and_by_key(who: str) -> None:
    for name in ("grace", "linus"):
        write(
            Entry(
                phase=Phase.REJECTED,
                action="collection.drop",
                caller=caller(name),
                outcome=Outcome.DENIED,
            )
        )
    found = [queries.Event.of(row).actor for row in queries.filtered({"who": who}, actor())]
    assert found == ["Grace"]


@pytest.mark.django_db(transaction=True)
def test_export_with_invalid_filters_is_refused(signed_in: Callable[..., Client]) -> None:
    answer = signed_in("auditor").post("/audit/export/", {"form": "csv", "until": "garbage"})
    assert answer.status_code == 422
    assert not AuditEvent.objects.exists()
