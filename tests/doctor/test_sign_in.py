"""The doctor on sign-in: the real provider, and one with any fault."""

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest

from milvusadmin.config.sign_in import Oidc, Proxy
from milvusadmin.doctor import environment
from milvusadmin.doctor.findings import Finding, State
from milvusadmin.sso.oidc.client import _client
from tests.infra.forger import DISCOVERY, Forger, Reply
from tests.infra.provider import Provider
from tests.sso.conftest import (  # noqa: F401 (fixtures)
    forged,
    forger,
    oidc,
    provider,
    shared_provider,
)

SECRET = "s3cr3t-of-the-proxy-" * 2


def said() -> list[Finding]:
    _client.cache_clear()
    return list(environment.sign_in())


def one() -> Finding:
    (found,) = said()
    return found


@pytest.mark.django_db
def test_doctor_on_the_real_provider_is_ok(oidc: Callable[..., Oidc], provider: Provider) -> None:  # noqa: F811
    found = said()
    assert [finding.state for finding in found] == [State.OK, State.OK]
    assert provider.issuer in found[0].text
    assert "agrees with the identity provider" in found[1].text


@pytest.mark.django_db
def test_doctor_with_the_provider_down_names_its_address(oidc: Callable[..., Oidc]) -> None:  # noqa: F811
    oidc(issuer="http://127.0.0.1:1")
    assert one().state == State.PROBLEM
    assert "127.0.0.1" in one().text


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"discovery": {"issuer": "https://elsewhere.example"}}, "elsewhere.example"),
        ({"replies": {DISCOVERY: Reply("<html>", 200)}}, "discovery document can't be used"),
        ({"replies": {"/jwks": Reply("gone", 404)}}, "keys"),
        ({"keys": []}, "has no keys"),
    ],
)
def test_doctor_names_each_fault_of_a_provider(
    forged: object,  # noqa: F811
    forger: Forger,  # noqa: F811
    fault: dict[str, Any],
    words: str,
) -> None:
    for name, value in fault.items():
        setattr(forger, name, value)
    assert one().state == State.PROBLEM
    assert words in one().text
    assert forger.client_secret not in str(one())


@pytest.mark.django_db
def test_doctor_with_a_provider_clock_off_is_a_problem(forged: object, forger: Forger) -> None:  # noqa: F811
    forger.ahead = 130
    found = said()[-1]
    assert (found.about, found.state) == ("clock", State.PROBLEM)
    assert "behind the identity provider" in found.text


def test_doctor_on_proxy_sign_in_names_trusted_peers_and_sizes(settings: Any) -> None:
    settings.SIGN_IN = "proxy"
    settings.PROXY = Proxy(secret=SECRET, networks=(ip_network("10.0.3.7/32"),), unix=True)
    believed, size = said()
    assert "trusted from 10.0.3.7/32, a Unix socket" in believed.text
    assert "X-Forwarded-Groups may be 32768 bytes long (HEADER_BYTES)" in size.text
    settings.PROXY = Proxy(secret=SECRET, networks=(ip_network("10.0.0.0/8"),))
    wide = said()[-1]
    assert (wide.state, "10.0.0.0/8 in PROXY_TRUSTED" in wide.text) == (State.WARNING, True)
    assert SECRET not in str(said())


def test_doctor_with_local_accounts_over_https_is_a_warning(settings: Any) -> None:
    settings.SIGN_IN, settings.HTTPS = "local", True
    assert one().state == State.WARNING
    settings.HTTPS = False
    assert one().state == State.OK
