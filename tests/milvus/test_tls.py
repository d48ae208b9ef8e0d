"""TLS to Milvus: a private authority, the server's name, client certificates, and failures.

A relay with real TLS in front of the real Milvus, and once a Milvus that speaks TLS itself.
"""

import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collections_app.milvus import privileges
from collections_app.milvus.connection import Connection
from collections_app.milvus.errors import Unreachable
from collections_app.milvus.gateway import Gateway
from collections_app.milvus.tls_errors import NO_CONNECTION
from tests.fixtures import cluster_at
from tests.infra.faultproxy import FaultProxy
from tests.infra.milvus_server import MilvusServer
from tests.infra.relay import Relay
from tests.infra.tls_milvus import (
    Papers,
    connect,
    credentials,
    each_way,
    in_a_network_of_its_own,
)

VERSION = r"v2\.3\.5"
CLOSED = "the server closed the connection"
SAID = {
    "right": VERSION,
    "right by name": VERSION,
    "wrong name": "the server's certificate is for another name: .* set server_name",
    "unknown authority": "not signed by an authority known here: set ca_file",
    "another authority": "not signed by an authority known here: set ca_file",
    "no certificate": f"{CLOSED} during the handshake: .* set client_cert_file",
    "a stranger's certificate": f"{CLOSED} during the handshake: .* compare client_cert_file",
    "plain": f"{CLOSED}: it may want TLS, so try https://",
}


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture
def tls(papers: Papers, milvus_server: MilvusServer) -> Iterator[str]:
    """The address of a Milvus that shows a certificate of our authority."""
    with Relay(milvus_server.address, credentials(papers.server)) as relay:
        yield f"https://127.0.0.1:{relay.port}"


def unfit(said: dict[str, str]) -> dict[str, str]:
    """What does not say what it should."""
    assert said.keys() == SAID.keys()
    return {way: text for way, text in said.items() if not re.search(SAID[way], text)}


def test_tls_connection_of_each_kind_works_or_says_why_not(
    papers: Papers, milvus_server: MilvusServer
) -> None:
    mutual = credentials(papers.server, papers.ours)
    with Relay(milvus_server.address, mutual) as relay:
        said = each_way(f"https://127.0.0.1:{relay.port}", papers)
        assert unfit(said) == {}
        served = relay.count("GetVersion")
    assert served == 2, "nobody else got through"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a Milvus of our own gave that speaks TLS itself."""
    return in_a_network_of_its_own(tmp_path_factory.mktemp("alone"))


def test_tls_of_milvus_itself_gives_the_same_answers(alone: dict[str, Any]) -> None:
    assert unfit(alone["ways"]) == {}


def test_doctor_grant_as_prescribed_removes_the_finding(alone: dict[str, Any]) -> None:
    before = set(alone["rights"]["before"])
    assert {
        "Global ListAliases",
        "Collection GetStatistics",
        *privileges.ACTS,
        privileges.STRICT,
    } <= before
    assert (alone["rights"]["after"], alone["rights"]["unknown"]) == ([], "")


def test_milvus_checks_privileges_in_the_metadata_database(
    alone: dict[str, Any],
) -> None:
    """A gap of Milvus 2.3 to 2.6, and the reason for `dbname` on every raw call."""
    said = alone["databases"]
    assert said["inside reads without"] == "PERMISSION_DENIED"
    assert said["inside reads with"] == "OK"
    assert said["outside drops without"] == "OK"
    assert said["outside drops with"] == "PERMISSION_DENIED"
    assert said["left"] == ["kept"]


def test_privilege_in_another_database_neither_reads_nor_drops(
    alone: dict[str, Any],
) -> None:
    said = alone["databases"]
    assert said["outside drops by the destroyer"] == "denied"
    assert said["inside reads by the gateway"] == "OK"
    assert said["inside drops by the destroyer"] == "OK"
    assert (said["left"], said["left at the end"]) == (["kept"], [])


def test_doctor_finds_a_privilege_in_its_database(alone: dict[str, Any]) -> None:
    missing = alone["databases"]["missing"]
    for right in ("Global ListAliases", "Global DropCollection"):
        assert right not in missing["a"]
        assert right in missing["default"]
    assert "Collection DropPartition" in missing["a"]


def test_tls_certificate_expired_is_named(papers: Papers, milvus_server: MilvusServer) -> None:
    expired = papers.ours.issue("late.test", days=-1, addresses=("127.0.0.1",))
    with Relay(milvus_server.address, credentials(expired)) as relay:
        said = connect(f"https://127.0.0.1:{relay.port}", papers.ours.ca)
    assert "has expired: renew it" in said


def test_tls_to_a_plain_port_says_to_use_http(papers: Papers, milvus_server: MilvusServer) -> None:
    said = connect(f"https://{milvus_server.address}", papers.ours.ca)
    assert "speaks no TLS on this port: use http://" in said


def test_unknown_host_name_is_named(papers: Papers) -> None:
    assert "the host name in uri is unknown here" in connect("http://nowhere.invalid:1")


def test_certificate_file_removed_since_the_start_is_named(
    papers: Papers, tls: str, tmp_path: Path
) -> None:
    said = connect(tls, tmp_path / "gone.pem")
    assert (
        said == f"{NO_CONNECTION}: {tmp_path / 'gone.pem'} can't be read: No such file or directory"
    )


def test_clusters_with_one_address_keep_their_own_tls_settings(
    papers: Papers, tls: str, milvus_server: MilvusServer
) -> None:
    """pymilvus alone would reuse the first cluster's connection for the second."""
    trusting = cluster_at(tls, milvus_server.token, ca_file=str(papers.ours.ca))
    Gateway(Connection(trusting)).collections("default")
    wary = cluster_at(tls, milvus_server.token, ca_file=str(papers.others.ca))
    with pytest.raises(Unreachable, match="not signed by an authority known here"):
        Gateway(Connection(wary)).collections("default")
    Gateway(Connection(trusting)).collections("default")


def test_cluster_that_hangs_while_connecting_blocks_no_other(
    milvus_server: MilvusServer,
) -> None:
    """pymilvus alone holds one lock for all of them."""
    host, port = milvus_server.address.split(":")
    with FaultProxy(host, int(port)) as proxy:
        proxy.stall()
        stalled = Connection(cluster_at(f"http://127.0.0.1:{proxy.port}", read_timeout=10.0))
        thread = threading.Thread(target=_in_vain, args=(stalled,))
        thread.start()
        time.sleep(0.5)
        began = time.monotonic()
        Connection(cluster_at(milvus_server.uri, milvus_server.token)).version("default")
        assert thread.is_alive(), "it was still connecting"
        assert time.monotonic() - began < 8
    thread.join(15)


def _in_vain(connection: Connection) -> None:
    with pytest.raises(Unreachable):
        connection.version("default")


def test_eight_threads_connecting_leave_one_connection(milvus_server: MilvusServer) -> None:
    connection = Connection(cluster_at(milvus_server.uri, milvus_server.token))
    together = threading.Barrier(8)

    def read() -> None:
        together.wait(10)
        handlers.add(id(connection.client("default")._get_connection()))

    handlers: set[int] = set()
    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert handlers == {id(connection.client("other")._get_connection())}
    assert list(connection._clients) == [os.getpid()]
