"""Connection settings of a cluster: credentials and TLS."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from django.core.exceptions import ImproperlyConfigured

from collections_app.milvus.types import Cluster
from milvusadmin.config import clusters
from tests.infra.certificates import Authority

URI = "https://milvus.example:19530"
Table = dict[str, str]


def cluster(**settings: str) -> Cluster:
    """The cluster `a` of a file with these settings."""
    return clusters.config_from({"clusters": {"a": {"uri": URI, **settings}}}).clusters["a"]


def refusal(**settings: str) -> str:
    with pytest.raises(ImproperlyConfigured) as caught:
        cluster(**settings)
    assert "S3cr3t" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def files(tmp_path: Path) -> Callable[[str, str], str]:
    """files(name, text) is the path of such a file."""

    def write(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


@pytest.fixture
def papers(tmp_path: Path) -> Table:
    """All files of a cluster with mutual TLS."""
    authority = Authority(tmp_path)
    client = authority.issue("client")
    return {
        "ca_file": str(authority.ca),
        "client_cert_file": str(client.cert),
        "client_key_file": str(client.key),
    }


# --- who we are -----------------------------------------------------------------------------------


def test_cluster_user_and_password_are_the_token(files: Callable[[str, str], str]) -> None:
    assert cluster(user="ada", password="S3cr3t:x").token == "ada:S3cr3t:x"
    assert cluster(user="ada", password_file=files("p", "S3cr3t\n")).token == "ada:S3cr3t"
    assert "S3cr3t" in cluster(user="ada", password="S3cr3t").secrets


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"user": "ada"}, "[clusters.a] needs user and password (or password_file) together."),
        ({"password": "S3cr3t"}, "[clusters.a] needs user and password"),
        ({"user": "a:b", "password": "S3cr3t"}, "[clusters.a] user has a colon"),
        ({"user": "a", "password": "S3cr3t", "token": "S3cr3t"}, "Keep one."),
        ({"token": "S3cr3t", "token_file": "x"}, "[clusters.a] has token and token_file."),
        ({"password": "S3cr3t", "password_file": "x"}, "has password and password_file."),
        ({"user": "a", "password_file": "/nosuch"}, "[clusters.a] password_file can't be read"),
    ],
)
def test_cluster_settings_that_conflict_are_refused(settings: Table, words: str) -> None:
    assert words in refusal(**settings)


def test_cluster_connection_is_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, papers: Table, files: Callable[[str, str], str]
) -> None:
    monkeypatch.delenv("MILVUSADMIN_CONFIG", raising=False)
    monkeypatch.setenv("MILVUS_URI", URI)
    monkeypatch.setenv("MILVUS_USER", "ada")
    monkeypatch.setenv("MILVUS_PASSWORD_FILE", files("password", "S3cr3t\n"))
    monkeypatch.setenv("MILVUS_SERVER_NAME", "milvus.internal")
    for name, path in papers.items():
        monkeypatch.setenv(f"MILVUS_{name.upper()}", path)
    said = {"token": "ada:S3cr3t", "server_name": "milvus.internal", **papers}
    expected = Cluster(key="main", label="Milvus", uri=URI, **said)
    assert clusters.load().clusters == {"main": expected}


# --- TLS ------------------------------------------------------------------------------------------


def test_cluster_with_mutual_tls_files_is_taken(papers: Table) -> None:
    found = cluster(**papers, server_name="milvus.internal")
    assert (found.ca_file, found.client_key_file) == (papers["ca_file"], papers["client_key_file"])


@pytest.mark.parametrize("missing", ["client_cert_file", "client_key_file"])
def test_client_certificate_without_its_key_is_refused(papers: Table, missing: str) -> None:
    del papers[missing]
    assert "needs client_cert_file and client_key_file together" in refusal(**papers)


def test_client_certificate_without_ca_file_is_refused(papers: Table) -> None:
    """pymilvus would ignore it silently."""
    del papers["ca_file"]
    assert "client_cert_file needs ca_file too" in refusal(**papers)


def test_tls_settings_without_https_are_refused(papers: Table) -> None:
    assert "its uri must be https://" in refusal(**papers, uri="http://milvus.example:19530")
    assert "its uri must be https://" in refusal(server_name="x", uri="tcp://milvus.example:1")


@pytest.mark.parametrize("name", ["ca_file", "client_cert_file", "client_key_file"])
def test_tls_file_missing_or_no_pem_is_named(
    papers: Table, files: Callable[[str, str], str], name: str
) -> None:
    missing, garbage = {name: "/nosuch.pem"}, {name: files("garbage", "S3cr3t")}
    assert f"[clusters.a] {name} can't be read: No such file" in refusal(**papers | missing)
    assert f"[clusters.a] {name} is not a PEM file" in refusal(**papers | garbage)


def test_client_key_with_a_passphrase_is_refused(papers: Table, tmp_path: Path) -> None:
    key = load_pem_private_key(Path(papers["client_key_file"]).read_bytes(), None)
    locked = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"S3cr3t")
    )
    Path(papers["client_key_file"]).write_bytes(locked)
    assert "client_key_file has a passphrase" in refusal(**papers)


def test_client_key_of_another_certificate_is_refused(papers: Table, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "others").issue("client")
    assert "does not belong to client_cert_file" in refusal(
        **papers | {"client_key_file": str(stranger.key)}
    )
