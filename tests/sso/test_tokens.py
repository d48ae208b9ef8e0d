"""The provider's tokens stay secret, and a session is valid in its own sign-in mode only."""

from typing import Any

import pytest
from django.conf import settings as live_settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client

from collections_app.audit.log import export_line
from collections_app.models import AuditEvent
from milvusadmin.sso import crypto
from milvusadmin.sso.models import SignIn
from tests.fixtures import person
from tests.infra.forger import Forger
from tests.infra.provider import Provider, sign_in
from tests.web import Page, act_url

from .conftest import RULES, asked_of, come_back, later, recorded, rule, signed_in, switch_on

pytestmark = pytest.mark.django_db
OTHER_KEY = "another key, which is long enough for this"
EVERYTHING = (*RULES, rule("ml-platform", "*"), rule("operator", "view"))


@pytest.fixture
def issued(forger: Forger) -> list[str]:
    """Every secret that passes between us and the forger, as it appears."""
    made: list[str] = [forger.client_secret, "an-access-token"]
    make = forger.make

    def remember(claims: dict[str, Any]) -> str:
        token = make(claims)
        made.append(token.rpartition(".")[2])
        made.append(f"refresh-token-{len(forger.forms) - 1}")
        return token

    forger.make = remember
    return made


def texts_of_all_tables() -> str:
    """All that is in the database, the sessions' data decoded."""
    found = [str(session.get_decoded()) for session in Session.objects.all()]
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            found += [str(row) for row in cursor.fetchall()]
    return "\n".join(found)


def test_tokens_appear_on_no_page_and_in_no_log(
    forged: object,
    forger: Forger,
    issued: list[str],
    settings: Any,
    fake: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.ACCESS = EVERYTHING
    fake.add("books")
    browser = Client()
    with caplog.at_level("INFO"):
        back = come_back(browser, forger)
        later(301)
        addresses = ("/access/", "/audit/", "/audit/export/", act_url("drop-collection", "books"))
        answers: list[Any] = [back, *(browser.get(address) for address in addresses)]
        seen = [b"".join(answer).decode() for answer in answers]
    assert len(forger.forms) == 2
    assert len(issued) == 6
    headers = "".join(str(dict(answer.items())) for answer in answers)
    everything = {
        "pages": "".join(seen) + headers,
        "cookies": str(browser.cookies),
        "log lines": caplog.text,
        "events": "".join(export_line(event) for event in AuditEvent.objects.all()),
        "database": texts_of_all_tables(),
    }
    assert "books" in everything["pages"]
    assert "Ada Osei" in everything["database"]
    for where, text in everything.items():
        assert [secret for secret in issued if secret in text] == [], where


def test_tokens_of_the_real_provider_are_encrypted_at_rest(oidc: Any, provider: Provider) -> None:
    sign_in(Client(), provider, "ada")
    kept = crypto.decrypt_tokens(SignIn.objects.get().tokens)
    assert set(kept) == {"refresh_token", "id_token"}
    text = texts_of_all_tables()
    assert [name for name, token in kept.items() if token in text] == []


def test_tokens_encrypted_twice_differ() -> None:
    kept = {"refresh_token": "r", "access_token": "a"}
    first, second = crypto.encrypt_tokens(kept), crypto.encrypt_tokens(kept)
    assert first != second
    assert crypto.decrypt_tokens(first) == crypto.decrypt_tokens(second) == {"refresh_token": "r"}


@pytest.mark.parametrize("text", ["", "no token", "gAAAAA", "é"], ids=repr)
def test_tokens_that_cannot_be_decrypted_are_none(text: str) -> None:
    assert crypto.decrypt_tokens(text) == {}


def test_tokens_need_the_key_they_were_encrypted_with(settings: Any) -> None:
    locked = crypto.encrypt_tokens({"refresh_token": "r"})
    settings.SECRET_KEY = OTHER_KEY
    assert crypto.decrypt_tokens(locked) == {}


def test_secret_key_changed_signs_everybody_out(
    forged: object, forger: Forger, settings: Any
) -> None:
    browser = Client()
    come_back(browser, forger)
    settings.SECRET_KEY = OTHER_KEY
    assert browser.get("/access/").status_code == 302
    assert come_back(browser, forger).status_code == 302
    assert browser.get("/access/").status_code == 200


def test_recheck_without_readable_tokens_goes_by_the_provider(
    forged: object, forger: Forger
) -> None:
    browser = Client()
    come_back(browser, forger)
    SignIn.objects.update(tokens="locked with another key")
    assert browser.get("/access/").status_code == 200
    later(301)
    answer: Any = browser.get("/access/")
    assert answer.headers["Location"] == "/sign-in/?silent=1&next=/access/"
    begun: Any = browser.get(answer.headers["Location"])
    assert asked_of(begun.headers["Location"])["prompt"] == "none"
    assert come_back(browser, forger, begun.headers["Location"]).status_code == 302
    assert browser.get("/access/").status_code == 200


def test_sign_out_without_readable_tokens_works(
    forged: object, forger: Forger, settings: Any
) -> None:
    browser = Client()
    come_back(browser, forger)
    SignIn.objects.update(tokens="not to be read")
    address = Page(browser.post("/sign-out/")).link("Continue")
    assert "id_token_hint" not in address
    assert not signed_in(browser)


# --- sessions of another mode ---------------------------------------------------------------------


def switch_to(settings: Any, mode: str) -> None:
    settings.SIGN_IN = mode
    settings.AUTHENTICATION_BACKENDS = live_settings.BACKENDS[mode]


def test_local_session_with_company_sign_in_is_refused(settings: Any, forger: Forger) -> None:
    browser = Client()
    browser.force_login(person("ada", "operator"))
    assert browser.get("/access/").status_code == 200
    switch_on(settings, forger)
    answer: Any = browser.get("/access/")
    assert answer.headers["Location"] == "/sign-in/?next=/access/"


def test_company_session_with_local_accounts_is_refused(
    forged: object, forger: Forger, settings: Any
) -> None:
    browser = Client()
    come_back(browser, forger)
    switch_to(settings, "local")
    assert browser.get("/access/").status_code == 302


@pytest.mark.parametrize("mode", ["oidc", "proxy"])
def test_session_without_a_sign_in_is_refused(mode: str, forged: object) -> None:
    browser = Client()
    (backend,) = live_settings.BACKENDS[mode]
    browser.force_login(person("ada", "operator"), backend=backend)
    assert browser.get("/access/").status_code == 302
    assert not signed_in(browser) or mode == "proxy"


@pytest.mark.parametrize("issuer", ["proxy", "local", "https://former.example"])
def test_session_of_another_issuer_is_refused(issuer: str, forged: object, forger: Forger) -> None:
    browser = Client()
    come_back(browser, forger)
    SignIn.objects.update(issuer=issuer)
    assert browser.get("/access/").status_code == 302
    assert not signed_in(browser)


@pytest.mark.parametrize("mode", ["local", "proxy"])
@pytest.mark.parametrize("address", ["/oidc/callback/", "/oidc/backchannel-logout/"])
def test_addresses_of_one_mode_are_not_found_in_the_others(
    mode: str, address: str, settings: Any
) -> None:
    if mode == "proxy":
        from milvusadmin.config.sign_in import Proxy

        settings.PROXY = Proxy(secret="x" * 32, unix=True)
    switch_to(settings, mode)
    assert [Client().get(address).status_code, Client().post(address).status_code] == [404, 404]


def test_password_with_company_sign_in_opens_nothing(forged: object, forger: Forger) -> None:
    person("ada", "operator")
    answer: Any = Client().post(
        "/sign-in/", {"username": "ada", "password": "correct horse battery"}
    )
    assert answer.headers["Location"].startswith(f"{forger.issuer}/auth?")
    assert recorded("session.sign_in") == []
