"""The doctor on one cluster: reachable, encrypted, its version. Its databases: databases.py."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from collections_app.milvus import proxied, versions
from collections_app.milvus.connection import Connection
from collections_app.milvus.errors import Denied, MilvusError
from collections_app.milvus.tls_errors import NO_CONNECTION
from collections_app.milvus.types import Cluster

from . import databases
from .findings import Finding, ok, problem, warning

DEFAULT = "root:Milvus"
CHANGE = (
    "Ask the Milvus administrator to change it (client.update_password) and to create an account "
    "for Milvus Admin with the privileges in docs/milvus.md."
)
SOON = 30  # days before a certificate is over in which it is worth a line
HERE = {"127.0.0.1", "localhost", "::1"}
CERTIFICATES = ("ca_file", "client_cert_file")


def look(cluster: Cluster) -> Iterator[Finding]:
    about = f"cluster {cluster.key}"
    yield from _certificates(about, cluster)
    if proxy := proxied.proxy_for(cluster.uri):
        text = f"gRPC goes through the proxy that the environment sets in {proxy}"
        yield warning(about, text, proxied.remedy(cluster.uri))
    connection = Connection(cluster)
    try:
        version = connection.version("default")
    except MilvusError as exc:
        yield _unreachable(about, cluster, exc)
        return
    yield ok(about, f"Milvus {version} at {cluster.endpoint} answers{_how(cluster)}")
    yield from _version(about, cluster, version)
    yield from _plain(about, cluster)
    if DEFAULT in cluster.secrets:
        yield problem(about, "root has the default password of Milvus", CHANGE)
    if connection.lite("default"):
        yield warning(
            about,
            "this is an embedded Milvus Lite: no ids, no privileges, one process",
            "Use it for trying things out only, and a Milvus server for everything else.",
        )
        return
    yield from databases.look(about, connection)


def _unreachable(about: str, cluster: Cluster, exc: MilvusError) -> Finding:
    at = f"{cluster.endpoint}: {exc}"
    if cluster.is_embedded:
        return warning(
            about,
            f"the embedded Milvus Lite can't be opened: {at}",
            "Only one process can open its file. Stop Milvus Admin and try again; if it is "
            "stopped, check the permissions of the folder.",
        )
    if isinstance(exc, Denied):
        return problem(
            about,
            f"Milvus rejected the token or password: {at}",
            "Compare token (or user and password) with the account in Milvus, and restart.",
        )
    if exc.code == NO_CONNECTION:
        return problem(about, f"no connection to {at}", "See the table in docs/connections.md.")
    return problem(
        about,
        f"no answer from {at}",
        "Check that Milvus is running, and that this machine can reach that address and port.",
    )


def _how(cluster: Cluster) -> str:
    if not cluster.uri.startswith("https://"):
        return ""
    return " over TLS with a client certificate" if cluster.client_cert_file else " over TLS"


def _version(about: str, cluster: Cluster, version: str) -> Iterator[Finding]:
    """A version that is not known, and what strict mode risks on this one."""
    rehearse = f"Run manage.py rehearse --cluster {cluster.key}, and read docs/compatibility.md."
    if versions.is_newer_than_known(version):
        text = f"Milvus {version} is newer than this release of Milvus Admin knows"
        yield warning(about, f"{text}: it is treated as {versions.NEWEST_KNOWN}", rehearse)
    if versions.Version.parse(version) is None and not versions.is_lite(version):
        text = f"the version {version!r} can't be parsed"
        yield warning(about, f"{text}: Milvus Admin sends it no rename", rehearse)
    if cluster.strict_drop:
        yield _strict(about, version)


def _strict(about: str, version: str) -> Finding:
    """Whether strict mode may rename on this version."""
    verdict = versions.rename_verdict(version)
    if verdict.safety is versions.Safety.SAFE:
        return ok(about, "strict_drop: no known problem with a rename on this version")
    if verdict.safety is versions.Safety.WARNING:
        remedy = "Upgrade Milvus to 2.6.12 or later. docs/compatibility.md explains the risk."
        return warning(about, f"strict_drop uses a rename. {verdict.text}", remedy)
    remedy = "Switch strict_drop off for this cluster, or run another version of Milvus."
    return problem(about, f"strict_drop: no collection can be dropped. {verdict.text}", remedy)


def _plain(about: str, cluster: Cluster) -> Iterator[Finding]:
    """A token that travels in clear over a network."""
    address = urlsplit(cluster.uri)
    here = address.hostname in HERE or address.scheme not in {"http", "tcp"}
    if cluster.token and not here:
        yield warning(
            about,
            "no TLS: the token and all names are sent in clear text",
            "Enable TLS in Milvus, and use https:// in uri.",
        )


def _certificates(about: str, cluster: Cluster) -> Iterator[Finding]:
    """Those of ours that are over, or soon will be. They were readable at the start."""
    from cryptography import x509  # noqa: PLC0415 (only where TLS is configured)

    for name in CERTIFICATES:
        path = getattr(cluster, name)
        if not path:
            continue
        certificates = x509.load_pem_x509_certificates(Path(path).read_bytes())
        left = max(c.not_valid_after_utc for c in certificates) - datetime.now(UTC)
        if left.days >= SOON:
            continue
        when = "has expired" if left.total_seconds() < 0 else f"expires in {left.days} days"
        found = problem if left.total_seconds() < 0 else warning
        yield found(about, f"{name} {when}: {path}", "Replace it and restart Milvus Admin.")
