"""Secrets appear on no page, and in no log line, record, file or error message.

One account of the real Milvus has a password made for this; then everything is done that can be
done, right and wrong, and all that came out is searched for it.
"""

import base64
import json
import logging
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from django.conf import settings as live_settings
from django.test import Client
from pymilvus.grpc_gen import milvus_pb2 as pb

from collections_app import clusters
from collections_app.audit import log
from collections_app.milvus.errors import MilvusError
from collections_app.models import AuditEvent
from tests.infra.chain import Chain
from tests.infra.milvus_server import MilvusServer
from tests.infra.relay import Failure
from tests.infra.seeds import Seeds, unique_name
from tests.web import Page, act_url, collection_url, confirm, list_url, milvus_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]
SignIn = Callable[..., Client]
PAGES = ["/", "/clusters/main/", list_url(), list_url(details=1), list_url(q="x"), "/audit/"]


def encodings(secret: str) -> list[str]:
    """A secret, and as it travels: base64, as gRPC's authorization header has it."""
    return [secret, base64.b64encode(secret.encode()).decode()]


@dataclass
class Leaks:
    """Collects all that comes out, and searches it for secrets."""

    forbidden: list[str]
    seen: list[tuple[str, str]] = field(default_factory=list)

    def take(self, where: str, answer: Any) -> Any:
        """An HTTP answer: its body and its headers."""
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        self.note(where, f"{answer.headers}\n{answer.cookies}\n{body.decode()}")
        return answer

    def note(self, where: str, text: str) -> None:
        self.seen.append((where, text))

    def check(self) -> None:
        texts = [(where, text, word) for where, text in self.seen for word in self.forbidden]
        assert not [(where, word) for where, text, word in texts if word in text]


@pytest.fixture
def password() -> str:
    return f"S3cr3t-{secrets.token_hex(6)}"


@pytest.fixture
def token(milvus_server: MilvusServer, password: str) -> Iterator[str]:
    """An account of the real Milvus with that password."""
    with milvus_user(milvus_server, password) as made:
        yield made


@pytest.fixture
def leaks(password: str, token: str, caplog: pytest.LogCaptureFixture) -> Iterator[Leaks]:
    caplog.set_level(logging.DEBUG)
    secluded = [logging.getLogger(name) for name in ("audit", "pymilvus")]  # pass nothing on
    for logger in secluded:
        logger.addHandler(caplog.handler)
    own = [live_settings.SECRET_KEY, live_settings.AUDIT_KEY]
    yield Leaks([*encodings(token), *encodings(password), *own])
    for logger in secluded:
        logger.removeHandler(caplog.handler)


@pytest.fixture
def everyone(everyone: Client) -> Client:
    """They see the page of an error, as in production."""
    everyone.raise_request_exception = False
    return everyone


def visit(client: Client, leaks: Leaks, name: str) -> set[int]:
    """Every page there is; the statuses come back."""
    pages = [*PAGES, collection_url(name), collection_url("nosuch"), "/nosuch/", "/sign-in/"]
    pages += [act_url("drop-collection", name), act_url("drop-partition", name, "novels")]
    pages += [act_url("release-collection", name)]
    return {leaks.take(url, client.get(url)).status_code for url in pages}


def everything_recorded(client: Client, leaks: Leaks) -> None:
    """The log, each operation's page and snapshot, and both exports."""
    for event in AuditEvent.objects.all():
        leaks.note(f"event {event.sequence}", f"{vars(event)} {event}")
        if event.operation_id:
            for path in ("", "snapshot.json"):
                url = f"/operations/{event.operation_id}/{path}"
                leaks.take(url, client.get(url))
    for form in ("csv", "jsonl"):
        leaks.take(f"export {form}", client.post("/audit/export/", {"form": form}))
    leaks.take("verify", client.post("/audit/verify/"))
    leaks.take("log", client.get("/audit/"))


def test_pages_in_normal_use_show_no_secret(
    token: str,
    leaks: Leaks,
    everyone: Client,
    milvus_server: MilvusServer,
    use_cluster: Callable[..., Any],
    make_collection: Seeds,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The account may read and not drop: pages with facts, and Milvus' own refusals."""
    use_cluster(milvus_server.uri, token)
    name = make_collection(partitions=["novels"])
    assert 200 in visit(everyone, leaks, name)
    everyone.defaults["HTTP_HX_REQUEST"] = "true"
    visit(everyone, leaks, name)
    del everyone.defaults["HTTP_HX_REQUEST"]
    for typed in (name, "wrong"):
        url = act_url("drop-collection", name)
        leaks.take(f"typed {typed}", confirm(everyone, url, typed, reason="tidy"))
    leaks.take("forged", everyone.post(url, {"token": "x", "typed_name": name}))
    everything_recorded(everyone, leaks)
    leaks.note("log lines", caplog.text)
    assert "permission deny" in str(leaks.seen), "Milvus' words did come through"
    assert len([w for w, _ in leaks.seen if w.startswith("event")]) == 3
    assert '"phase":"intent"' in caplog.text, "the audit lines are among what is searched"
    leaks.check()


@pytest.mark.parametrize("trouble", ["down", "stalled", "wrong password", "echoed"])
def test_errors_show_no_secret(
    trouble: str,
    token: str,
    password: str,
    leaks: Leaks,
    everyone: Client,
    chain: Chain,
    use_cluster: Callable[..., Any],
    make_collection: Seeds,
    caplog: pytest.LogCaptureFixture,
) -> None:
    name = make_collection(partitions=["novels"])
    if trouble == "wrong password":
        chain.direct.client().update_password(
            token.partition(":")[0], password, unique_name("Other"), timeout=10
        )
    if trouble == "echoed":  # a server, or a proxy before it, that repeats what it was sent
        for rpc in ("ShowCollections", "DescribeCollection", "GetVersion", "ListDatabases"):
            chain.relay.fail(rpc, grpc.StatusCode.INTERNAL, f"no {token} {password}")
    milvus = use_cluster(chain.uri, token, read_timeout=0.15)
    {"down": chain.proxy.refuse, "stalled": chain.proxy.stall}.get(trouble, lambda: None)()
    statuses = visit(everyone, leaks, name)
    assert {503, 403, 409} & statuses
    with pytest.raises(MilvusError) as caught:
        milvus.gateway.collections("default")
    leaks.note("error", f"{caught.value!r} {caught.value} {vars(caught.value)}")
    everything_recorded(everyone, leaks)
    leaks.note("log lines", caplog.text)
    leaks.check()
    if trouble == "echoed":
        assert "•••" in str(leaks.seen), "it was there, and was covered"


def test_external_collection_credentials_are_shown_nowhere(
    everyone: Client,
    chain: Chain,
    faulty: Any,
    leaks: Leaks,
    make_collection: Seeds,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The description holds them, and the intent keeps the description for good."""
    name, key = make_collection(partitions=["novels"]), f"wJalr{secrets.token_hex(6)}"
    leaks.forbidden += encodings(key)
    stub = chain.direct.client()._get_connection()._stub

    def external(request: bytes) -> bytes:
        reply = stub.DescribeCollection(pb.DescribeCollectionRequest.FromString(request))
        reply.schema.external_source = f"s3://AKIA:{key}@lake/books?X-Amz-Signature={key}"
        extfs = {"region": "eu-west-1", "access_key_value": key, "of_tomorrow": key}
        reply.schema.external_spec = json.dumps({"format": "parquet", "extfs": extfs})
        reply.properties.add(key="api_key", value=key)
        reply.schema.functions.add(name="f").params.add(key="api_key", value=key)
        return bytes(reply.SerializeToString())

    chain.relay.answer("DescribeCollection", external)
    assert 200 in visit(everyone, leaks, name)
    answer = confirm(everyone, act_url("drop-collection", name), name)
    leaks.take("answer", answer)
    everything_recorded(everyone, leaks)
    leaks.note("log lines", caplog.text)
    assert "lake/books" in str(leaks.seen), "the address itself is shown"
    assert "parquet" in AuditEvent.objects.get(phase="intent").record
    leaks.check()


def test_lost_answer_shows_no_secret(
    token: str,
    password: str,
    leaks: Leaks,
    everyone: Client,
    chain: Chain,
    use_cluster: Callable[..., Any],
    make_collection: Seeds,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What Milvus says about an act is recorded for good."""
    name = make_collection()
    use_cluster(chain.uri, token)

    def lose() -> None:
        raise Failure(grpc.StatusCode.UNAVAILABLE, f"lost {token} and {password}")

    chain.relay.before("DropCollection", lose)
    answer = confirm(everyone, act_url("drop-collection", name), name)
    leaks.take("answer", answer)
    leaks.take("look", everyone.post(f"{answer.headers['Location']}look/"))
    everything_recorded(everyone, leaks)
    leaks.note("log lines", caplog.text)
    record = json.loads(AuditEvent.objects.get(outcome="unknown").record)
    assert record["message"] == "lost ••• and •••"
    leaks.check()


def test_credentials_in_the_address_are_not_shown(
    everyone: Client, use_cluster: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    leaks = Leaks(["in-the-uri"])
    use_cluster("http://ada:in-the-uri@127.0.0.1:1", read_timeout=0.15)
    assert 503 in visit(everyone, leaks, "books")
    leaks.note("log lines", caplog.text)
    assert "http://127.0.0.1:1" in str(leaks.seen), "the address itself is shown"
    leaks.check()


def test_settings_printed_show_no_token(
    token: str, password: str, milvus_server: MilvusServer, use_cluster: Callable[..., Any]
) -> None:
    milvus = use_cluster(f"http://{token}@127.0.0.1:1", token)
    for text in (repr(live_settings.CLUSTERS), repr(milvus), str(clusters.all_clusters())):
        assert "main" in text
        assert password not in text


def test_internal_error_shows_no_key(
    everyone: Client,
    leaks: Leaks,
    real: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("collections_app.web.audit.listing.log_page", None)
    answer = leaks.take("bug", everyone.get("/audit/"))
    assert answer.status_code == 500
    leaks.note("log lines", caplog.text)
    assert "TypeError" in caplog.text, "whoever runs it finds the cause in the log"
    leaks.check()


def test_session_record_is_no_key_to_the_session(
    real: Any, everyone: Client, make_collection: Seeds
) -> None:
    """A reader of the log must not be able to take over a session."""
    name = make_collection()
    confirm(everyone, act_url("drop-collection", name), name)
    key = everyone.session.session_key
    assert key
    for event in AuditEvent.objects.all():
        assert key not in event.record
        assert log.export_line(event).count(key) == 0


def test_key_id_does_not_reveal_the_key() -> None:
    assert log.key_id() not in live_settings.AUDIT_KEY
    assert len(log.key_id()) == 8


def test_leaks_check_finds_a_secret_that_is_there(everyone: Client, real: Any) -> None:
    """A check that never finds anything would prove nothing."""
    leaks = Leaks(["Sign out"])
    page = leaks.take("page", everyone.get("/audit/"))
    assert Page(page).status == 200
    with pytest.raises(AssertionError):
        leaks.check()
