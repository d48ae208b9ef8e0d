"""The files of TLS, read once at the start: a mistake in them must not wait for the first page."""

from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured


def check(where: str, values: dict[str, Any]) -> None:
    """The TLS settings of a cluster fit together. Raises ImproperlyConfigured with the remedy."""
    ca, name = values.get("ca_file"), values.get("server_name")
    cert, key = values.get("client_cert_file"), values.get("client_key_file")
    if not (ca or name or cert or key):
        return
    if not values["uri"].startswith("https://"):
        raise ImproperlyConfigured(f"{where} has TLS settings, so its uri must be https://….")
    if bool(cert) != bool(key):
        raise ImproperlyConfigured(f"{where} needs client_cert_file and client_key_file together.")
    if cert and not ca:
        raise ImproperlyConfigured(
            f"{where} client_cert_file needs ca_file too: pymilvus uses it only then. Name the "
            "authority of the server, or the system's list: /etc/ssl/certs/ca-certificates.crt."
        )
    _readable(where, values)


def _readable(where: str, values: dict[str, Any]) -> None:
    from cryptography import x509  # noqa: PLC0415 (only where TLS is configured)
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        load_pem_private_key,
    )

    read = x509.load_pem_x509_certificates
    _parsed(where, "ca_file", values, read)
    if cert := _parsed(where, "client_cert_file", values, read):
        key = _parsed(where, "client_key_file", values, lambda b: load_pem_private_key(b, None))
        if cert[0].public_key() != key.public_key():
            raise ImproperlyConfigured(
                f"{where} client_key_file does not belong to client_cert_file."
            )


def _parsed(where: str, name: str, values: dict[str, Any], parse: Any) -> Any:
    path = values.get(name)
    if not path:
        return None
    try:
        return parse(Path(path).read_bytes())
    except OSError as exc:
        raise ImproperlyConfigured(
            f"{where} {name} can't be read: {exc.strerror}: {path}"
        ) from None
    except TypeError:  # what it raises for an encrypted key
        raise ImproperlyConfigured(
            f"{where} {name} has a passphrase. Use a key without one."
        ) from None
    except ValueError:  # not chained: it may quote a key
        raise ImproperlyConfigured(f"{where} {name} is not a PEM file: {path}") from None
