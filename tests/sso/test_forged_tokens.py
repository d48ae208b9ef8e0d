"""ID tokens are accepted only if the provider signed them, now, for this application and user."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.infra.forger import (
    Claims,
    Forger,
    In,
    Reply,
    by_secret,
    key,
    public_key,
    signed,
    tampered,
    unsigned,
)

from .conftest import (
    asked_of,
    begin,
    come_back,
    signed_in,
    turned_away,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("forged")]


@pytest.fixture
def visitor() -> Client:
    return Client()


# --- keys that can't be used ---------------------------------------------------------------------

BRAINPOOL = {
    "kty": "EC",
    "crv": "BP-256",
    "kid": "bp",
    "use": "sig",
    "x": "i9K06UpR0FEQWP7hSjRd4iyLQnJgFsCcYmHLcOh8B7c",
    "y": "VDj8ytyQFrfQyfyW1fwg9KkTWTYDWzuS4jmtGJ6WRpM",
}
UNUSABLE = [
    BRAINPOOL,
    {"kty": "EC", "crv": "brainpoolP256r1", "kid": "bp", "x": BRAINPOOL["x"], "y": BRAINPOOL["y"]},
    {"kty": "AKP", "kid": "pq", "alg": "ML-DSA-65", "pub": "AAAA"},
    {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
    {"kid": "nothing"},
    "no key",
    None,
]


@pytest.mark.parametrize("key", UNUSABLE, ids=lambda key: str(key)[:40])
def test_key_that_cannot_be_used_beside_a_good_one_is_ignored(key: Any, forger: Forger) -> None:
    good = [one.as_dict(private=False) for one in forger.keys]
    forger.replies["/jwks"] = Reply({"keys": [key, *good, key]})
    visitor = Client()
    assert come_back(visitor, forger).status_code == 302
    assert signed_in(visitor)


# --- what the ID token says -----------------------------------------------------------------------


def aud(*names: str) -> Claims:
    return {"aud": list(names)}


OURS = "milvus-admin"


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"nonce": ""}, "nonce"),
        ({"iss": "https://evil.example"}, "iss"),
        ({"iss": None}, "iss"),
        ({"iss": ["https://evil.example"]}, "iss"),
        ({"aud": "another"}, "aud"),
        ({"aud": None}, "aud"),
        (aud(), "aud"),
        (aud("another"), "aud"),
        (aud("another") | {"azp": OURS}, "aud"),
        (aud(OURS, "another"), "azp"),
        (aud(OURS, "another") | {"azp": OURS}, "another audience"),
        ({"azp": "another"}, "azp"),
        ({"exp": In(-120)}, "expired"),
        ({"exp": None}, "exp"),
        ({"exp": "tomorrow"}, "exp"),
        ({"iat": In(3600)}, "future"),
        ({"iat": None}, "iat"),
        ({"nbf": In(3600)}, "valid"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "no usable sub"),
        ({"sub": 7}, ""),
        ({"sub": ["ada"]}, ""),
        ({"sub": "a" * 256}, ""),
        ({"auth_time": "yesterday"}, "auth_time"),
    ],
    ids=str,
)
def test_id_token_with_a_wrong_claim_is_refused(
    claims: Claims, why: str, visitor: Client, forger: Forger
) -> None:
    forger.claims = claims
    subject = claims.get("sub", "ada")
    forger.userinfo = {"sub": subject}
    turned_away(visitor, come_back(visitor, forger), why)


@pytest.mark.parametrize(
    "claims", [aud(OURS), {"azp": OURS}, {"exp": In(-30)}, {"iat": In(11)}], ids=str
)
def test_id_token_that_the_standard_allows_is_accepted(
    claims: Claims, visitor: Client, forger: Forger
) -> None:
    forger.claims = claims
    assert come_back(visitor, forger).status_code == 302
    assert signed_in(visitor)


def test_id_token_issuer_must_match_exactly(visitor: Client, forger: Forger) -> None:
    forger.claims = {"iss": f"{forger.issuer}/"}
    turned_away(visitor, come_back(visitor, forger), "iss")


def test_id_token_with_the_nonce_of_another_request_is_refused(
    visitor: Client, forger: Forger
) -> None:
    first = asked_of(begin(visitor))
    forger.claims = {"nonce": first["nonce"]}
    turned_away(visitor, come_back(visitor, forger), "nonce")


# --- who signed it --------------------------------------------------------------------------------

FORGERIES: dict[str, Callable[[Claims], str]] = {
    "another key with the same kid": lambda claims: signed(claims, key("another key")),
    "an unknown key": lambda claims: signed(claims, key("unknown", "unknown"), kid="unknown"),
    "its own key in its header": lambda claims: signed(
        claims, key("unknown", "unknown"), jwk=key("unknown", "unknown").as_dict(private=False)
    ),
    "alg none": unsigned,
    "alg None": lambda claims: unsigned(claims, "None"),
    "alg empty": lambda claims: unsigned(claims, ""),
    "HS256 with the public key": lambda claims: by_secret(claims, public_key()),
    "HS256 with the client's secret": lambda claims: by_secret(
        claims, b"the secret of the forger's client"
    ),
    "changed afterwards": lambda claims: tampered(claims, sub="vera"),
    "no signature": lambda claims: signed(claims).rpartition(".")[0] + ".",
    "no token": lambda claims: "not.a.token",
    "an empty one": lambda claims: "",
}


@pytest.mark.parametrize("make", FORGERIES.values(), ids=FORGERIES)
def test_id_token_not_signed_by_the_provider_is_refused(
    make: Callable[[Claims], str], visitor: Client, forger: Forger
) -> None:
    forger.make = make
    turned_away(visitor, come_back(visitor, forger), "")


@pytest.mark.parametrize("offered", [["HS256"], ["none"], ["none", "HS256"], []], ids=str)
@pytest.mark.parametrize("make", [unsigned, FORGERIES["HS256 with the client's secret"]])
def test_id_token_with_a_weak_algorithm_offered_is_refused(
    make: Callable[[Claims], str], offered: list[str], visitor: Client, forger: Forger
) -> None:
    forger.discovery = {"id_token_signing_alg_values_supported": offered}
    forger.make = make
    turned_away(visitor, come_back(visitor, forger), "")


def test_token_response_without_an_id_token_is_refused(visitor: Client, forger: Forger) -> None:
    forger.tokens = {"id_token": None}
    turned_away(visitor, come_back(visitor, forger), "the response has no ID token")


def test_id_token_signed_by_a_new_key_is_accepted(visitor: Client, forger: Forger) -> None:
    assert come_back(Client(), forger).status_code == 302
    new = key("new", "new")
    forger.keys, forger.make = [new], lambda claims: signed(claims, new, kid="new")
    assert come_back(visitor, forger).status_code == 302
    assert signed_in(visitor)


# --- who it is about ------------------------------------------------------------------------------


@pytest.mark.parametrize("subject", ["vera", None, "", 7, "Ada", "ada "], ids=repr)
def test_userinfo_about_another_subject_is_refused(
    subject: Any, visitor: Client, forger: Forger
) -> None:
    forger.userinfo = {"sub": subject, "groups": ["ml-platform"]}
    turned_away(visitor, come_back(visitor, forger), "userinfo is about a different person")


def test_callback_naming_another_issuer_is_refused(visitor: Client, forger: Forger) -> None:
    answer = come_back(visitor, forger, iss="https://evil.example")
    turned_away(visitor, answer, "a different issuer")
    assert forger.forms == []


def test_callback_naming_the_right_issuer_is_accepted(visitor: Client, forger: Forger) -> None:
    assert come_back(visitor, forger, iss=forger.issuer).status_code == 302
