"""The doctor on a cluster: the real Milvus, with accounts of many and few privileges."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from pymilvus.exceptions import MilvusException
from pymilvus.grpc_gen import milvus_pb2 as pb

from collections_app.milvus import privileges
from milvusadmin.doctor import milvus
from milvusadmin.doctor.findings import Finding, State
from tests.fixtures import cluster_at
from tests.infra.gunicorn import ROOT
from tests.infra.milvus_server import MilvusServer
from tests.infra.relay import Relay
from tests.infra.seeds import unique_name
from tests.infra.tls_milvus import Papers, credentials
from tests.web import milvus_user

PASSWORD = "Few-rights-1"


@pytest.fixture
def token(milvus_server: MilvusServer) -> Iterator[str]:
    """An account without any role."""
    with milvus_user(milvus_server, PASSWORD) as made:
        yield made


@pytest.fixture
def role(milvus_server: MilvusServer, token: str) -> Iterator[str]:
    """A role of that account, without any right at first."""
    name, client = unique_name("r"), milvus_server.client()
    client.create_role(name, timeout=10)
    client.grant_role(token.split(":", maxsplit=1)[0], name, timeout=10)
    yield name
    client.revoke_role(token.split(":", maxsplit=1)[0], name, timeout=10)
    for had in client.describe_role(name, timeout=10)["privileges"]:
        client.revoke_privilege(name, had["object_type"], had["privilege"], had["object_name"])
    client.drop_role(name, timeout=10)


def found(uri: str, token: str = "", **settings: Any) -> list[Finding]:
    return list(milvus.look(cluster_at(uri, token, **settings)))


def about(findings: list[Finding], words: str) -> Finding:
    (one,) = [finding for finding in findings if words in finding.text]
    return one


def test_doctor_as_root_warns_of_the_default_password(
    milvus_server: MilvusServer,
) -> None:
    said = found(milvus_server.uri, "root:Milvus")
    assert about(said, "has every privilege").state == State.OK
    assert about(said, "v2.3.5").state == State.OK
    assert about(said, "default password of Milvus").state == State.PROBLEM


def test_doctor_without_the_right_to_read_roles_says_what_lacks(
    milvus_server: MilvusServer, token: str, role: str
) -> None:
    with Relay(milvus_server.address) as relay:
        denied = "PrivilegeSelectOwnership: permission deny"  # 2.3.5 itself: see grants.py
        relay.fail("SelectGrant", grpc.StatusCode.PERMISSION_DENIED, denied)
        said = found(f"http://127.0.0.1:{relay.port}", token)
    lacking = about(said, "lacks")
    for right in ("ListDatabases", "GetStatistics", "ShowPartitions", "ListAliases"):
        assert right in lacking.text
    assert "DescribeCollection" not in lacking.text, "that one it has"
    unknown = about(said, "it may not read its own roles")
    assert unknown.state == State.WARNING
    assert not [f for f in said if PASSWORD in f"{f}"]


def test_doctor_remedy_for_an_account_without_a_role_works(
    milvus_server: MilvusServer, token: str
) -> None:
    lacking = privileges.Rights(token.split(":", maxsplit=1)[0], missing=["Global ListAliases"])
    root, account = milvus_server.client(), token.split(":", maxsplit=1)[0]
    try:
        exec(privileges.grant(lacking), {"client": root})
        assert "milvus_admin" in root.describe_user(account)["roles"]
    finally:
        root.revoke_role(account, "milvus_admin")
        root.revoke_privilege("milvus_admin", "Global", "ListAliases", "*")
        root.drop_role("milvus_admin")


def test_doctor_sends_nothing_that_changes_milvus(milvus_server: MilvusServer, token: str) -> None:
    with Relay(milvus_server.address) as relay:
        found(f"http://127.0.0.1:{relay.port}", milvus_server.token)
        found(f"http://127.0.0.1:{relay.port}", token)
        sent = set(relay.calls)
    reading = ("Connect", "Get", "List", "Show", "Describe", "Select")
    assert len(sent) > 8
    assert [call for call in sent if not call.startswith(reading)] == []


def test_doctor_tells_a_wrong_password_from_milvus_down(milvus_server: MilvusServer) -> None:
    (refused,) = found(milvus_server.uri, "root:wrong-S3cr3t")
    assert (refused.state, "Milvus rejected the token or password" in refused.text) == (
        "problem",
        True,
    )
    assert "S3cr3t" not in str(refused)
    (away,) = found("http://127.0.0.1:1", "root:x")
    assert (away.state, "no answer from" in away.text) == ("problem", True)


def test_doctor_with_failing_tls_says_why(tmp_path: Path, milvus_server: MilvusServer) -> None:
    papers = Papers(tmp_path)
    with Relay(milvus_server.address, credentials(papers.server)) as relay:
        uri = f"https://127.0.0.1:{relay.port}"
        (wary,) = found(uri, milvus_server.token)
        trusting = found(uri, milvus_server.token, ca_file=str(papers.ours.ca))
    assert "set ca_file to the authority" in wary.text
    assert "answers over TLS" in trusting[1].text
    assert "ca_file expires in 29 days" in trusting[0].text


def test_doctor_names_an_expired_client_certificate(tmp_path: Path) -> None:
    papers = Papers(tmp_path)
    late = papers.ours.issue("late", days=-1)
    files = {"client_cert_file": str(late.cert), "client_key_file": str(late.key)}
    said = found("https://127.0.0.1:1", **files)
    assert about(said, "client_cert_file has expired").state == State.PROBLEM


def test_doctor_notes_a_token_sent_in_clear_text() -> None:
    (noted,) = milvus._plain("x", cluster_at("http://milvus.example:19530", "a:b"))
    assert "the token and all names are sent in clear text" in noted.text
    for uri in ("http://127.0.0.1:19530", "https://milvus.example:19530", "unix:/run/milvus.sock"):
        assert list(milvus._plain("x", cluster_at(uri, "a:b"))) == []


def test_doctor_on_milvus_lite_says_that_it_is_for_trials(lite_uri: str) -> None:
    assert found(lite_uri)[-1].text.startswith("this is an embedded Milvus Lite")


HOLD = """
import sys
from collections_app.milvus.connection import Connection
from collections_app.milvus.types import Cluster
Connection(Cluster(key="x", label="x", uri=sys.argv[1])).version("default")
print("open", flush=True)
sys.stdin.read()
"""


def test_doctor_on_milvus_lite_in_use_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "held.db")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        (said,) = found(str(tmp_path / "held.db"))
        holder.communicate("", timeout=20)
    assert (said.state, "can't be opened" in said.text) == (State.WARNING, True)


@pytest.mark.parametrize(
    ("version", "settings", "state", "says"),
    [
        ("2.6.21", {}, State.WARNING, "newer than this release of Milvus Admin knows"),
        ("4.0.0", {}, State.WARNING, "it is treated as 3.0.1"),
        ("2.6-20260601-0123456789", {}, State.WARNING, "can't be parsed"),
        ("2.5.14", {"strict_drop": True}, State.PROBLEM, "(Milvus issue #43407)"),
        ("2.5.15", {"strict_drop": True}, State.WARNING, "(Milvus issues #47850, #47718)"),
        ("3.0.1", {"strict_drop": True}, State.OK, "no known problem with a rename"),
        ("4.0.0", {"strict_drop": True}, State.OK, "no known problem with a rename"),
    ],
)
def test_version_that_matters_is_a_finding_with_a_remedy(
    version: str, settings: dict[str, bool], state: State, says: str, milvus_server: MilvusServer
) -> None:
    reply = pb.GetVersionResponse(version=version).SerializeToString()
    with Relay(milvus_server.address) as relay:
        relay.answer("GetVersion", lambda _: reply)
        said = found(f"http://127.0.0.1:{relay.port}", milvus_server.token, **settings)
    finding = about(said, says)
    assert finding.state == state
    if state == State.WARNING and not settings:
        assert "manage.py rehearse --cluster" in finding.remedy
    assert finding.remedy or state == State.OK


@pytest.mark.parametrize("version", ["v2.3.5-lite", "2.5.26", "2.6.20", "3.0.1"])
def test_known_version_without_strict_mode_is_only_named(version: str) -> None:
    assert list(milvus._version("x", cluster_at("http://127.0.0.1:1"), version)) == []


@pytest.fixture(autouse=True)
def no_role_left(milvus_server: MilvusServer) -> Iterator[None]:
    """The remedy makes a role of a fixed name."""
    yield
    with pytest.raises(MilvusException):
        milvus_server.client().describe_role("milvus_admin")
