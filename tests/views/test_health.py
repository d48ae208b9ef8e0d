"""Whether it is alive: asked by address, without a session, and with everything else broken."""

import pytest
from django.test import Client


@pytest.mark.parametrize("method", ["get", "head"])
def test_it_is_alive_whatever_host_is_named_and_without_a_database(method: str) -> None:
    """No database mark: a query would fail this test."""
    response = getattr(Client(headers={"Host": "10.1.2.3:8000"}), method)("/healthz")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/plain")
    assert response.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in response.headers


def test_only_looking_is_answered() -> None:
    assert Client(headers={"Host": "10.1.2.3:8000"}).post("/healthz").status_code == 400
