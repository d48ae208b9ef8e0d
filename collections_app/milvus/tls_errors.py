"""Why no connection came about, in an operator's words. Facts: docs/connections.md."""

from collections.abc import Iterable

from .types import Cluster

NO_CONNECTION = "no_connection"  # a code of our own: nothing was even asked

# What gRPC says, and what it means. The first one that is in its text counts.
WORDS = (
    ("certificate has expired", "the server's certificate has expired: renew it at Milvus"),
    ("certificate is not yet valid", "the server's certificate is not valid yet: compare clocks"),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "the server's certificate is not signed by an authority known here: set ca_file to the "
        "authority's certificate",
    ),
    (
        "Hostname Verification Check failed",
        "the server's certificate is for another name: use that name in uri, or set server_name",
    ),
    (
        "WRONG_VERSION_NUMBER",
        "the server speaks no TLS on this port: use http:// in uri, or switch on TLS at Milvus",
    ),
    (
        "Failed to create security handshaker",
        "ca_file, client_cert_file or client_key_file is no usable PEM file",
    ),
    ("errors resolving", "the host name in uri is unknown here: compare it with DNS"),
)
CLOSED = ("Socket closed", "Connection reset", "TSI_PROTOCOL_FAILURE", "TSI_DATA_CORRUPTED")


def reason(said: Iterable[str], cluster: Cluster) -> str:
    """The words for what gRPC said about a connection that never came about; empty if unknown."""
    text = " ".join(said)
    for known, words in WORDS:
        if known in text:
            return words
    return _closed(cluster) if any(known in text for known in CLOSED) else ""


def _closed(cluster: Cluster) -> str:
    """TLS 1.3 tells a client only that it was closed; the settings say what is likely."""
    if not cluster.uri.startswith("https://"):
        return "the server closed the connection: it may want TLS, so try https:// in uri"
    if not cluster.client_cert_file:
        return (
            "the server closed the connection during the handshake: it may want a certificate of "
            "ours, so set client_cert_file and client_key_file"
        )
    return (
        "the server closed the connection during the handshake: it may not accept our certificate, "
        "so compare client_cert_file with the authority that Milvus trusts (caPemPath)"
    )
