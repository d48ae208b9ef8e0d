"""The doctor on the environment: sign-in, static files, the image, and Django's own checks."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import ManifestFilesMixin, staticfiles_storage
from django.core.checks import ERROR, run_checks
from requests.utils import get_environ_proxies

from milvusadmin.config import env
from milvusadmin.sso.oidc import client as oidc_client

from .database import compared
from .findings import Finding, ok, problem, warning

SIGN_IN, STATIC, IMAGE = "sign-in", "static files", "image"
COLLECT = "Run: manage.py collectstatic --noinput, and restart the web processes."


def checks() -> Iterator[Finding]:
    """Django's checks and ours: SECRET_KEY, cookies, hosts, keys that are the same."""
    raised = run_checks(include_deployment_checks=settings.HTTPS)
    found = [message for message in raised if not message.is_silenced()]
    for message in found:
        made = problem if message.level >= ERROR else warning
        yield made("settings", f"{message.msg} ({message.id})", message.hint or "")
    if not found:
        yield ok("settings", "no problems found")


def sign_in() -> Iterator[Finding]:
    yield from {"oidc": _oidc, "proxy": _proxy, "local": _local}[settings.SIGN_IN]()


def _oidc() -> Iterator[Finding]:
    issuer = oidc_client.config().issuer
    yield from _on_the_way(issuer)
    try:
        client = oidc_client.client()
        keys = client.fetch_jwk_set(force=True).get("keys")
    except oidc_client.Unavailable as exc:
        yield problem(SIGN_IN, f"the provider at {issuer}: {exc}", PROVIDER)
        return
    except (requests.RequestException, *oidc_client.MALFORMED) as exc:
        yield problem(SIGN_IN, f"the provider's keys can't be fetched: {exc}", PROVIDER)
        return
    if not keys:
        yield problem(SIGN_IN, f"the provider at {issuer} has no keys", PROVIDER)
        return
    yield ok(SIGN_IN, f"the provider at {issuer} answers with that issuer and {len(keys)} keys")
    yield from _clock(issuer)


PROVIDER = (
    "Open OIDC_ISSUER/.well-known/openid-configuration from this machine: it must answer over "
    "https, and its issuer must equal OIDC_ISSUER letter by letter."
)


def _clock(issuer: str) -> Iterator[Finding]:
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    answer = requests.get(url, timeout=oidc_client.config().timeout)
    said = answer.headers.get("Date")
    if said:
        yield compared("the identity provider", parsedate_to_datetime(said), datetime.now(UTC))


def _on_the_way(issuer: str) -> Iterator[Finding]:
    """requests reads the environment by itself."""
    proxy = get_environ_proxies(issuer).get(urlsplit(issuer).scheme)
    if proxy:
        host = urlsplit(proxy).hostname
        yield warning(
            SIGN_IN,
            f"the environment sends requests to the provider through the proxy {host}",
            f"If it must not, add {urlsplit(issuer).hostname} to no_proxy.",
        )


def _proxy() -> Iterator[Finding]:
    proxy: Any = settings.PROXY
    wide = [str(n) for n in proxy.networks if n.num_addresses > 256]
    trusted = [*map(str, proxy.networks), *(["a Unix socket"] if proxy.unix else [])]
    yield ok(SIGN_IN, f"{proxy.user_header} is trusted from {', '.join(trusted)}")
    size = env.header_bytes()
    yield ok(
        SIGN_IN,
        f"{proxy.groups_header} may be {size} bytes long (HEADER_BYTES), which is room for "
        f"{size // 40} groups of 38 characters",
    )
    if wide:
        yield warning(
            SIGN_IN,
            f"{', '.join(wide)} in PROXY_TRUSTED has more than 256 addresses",
            "List the proxy's own addresses: any host in it that learns PROXY_SECRET can "
            "impersonate any user.",
        )


def _local() -> Iterator[Finding]:
    if settings.HTTPS:
        yield warning(
            SIGN_IN,
            "people sign in with local accounts, not with company accounts",
            "Local accounts are for emergencies. Set SIGN_IN=oidc or SIGN_IN=proxy: "
            "docs/sign-in.md",
        )
    else:
        yield ok(SIGN_IN, "people sign in with local accounts")


def static_files() -> Iterator[Finding]:
    """Collected, all there, and not older than what they were made from."""
    if not isinstance(staticfiles_storage, ManifestFilesMixin):
        yield ok(STATIC, "served from their sources")
        return
    root, sources = Path(staticfiles_storage.location), dict(_sources())
    hashed = staticfiles_storage.hashed_files
    missing = [n for n in sources if n not in hashed or not (root / hashed[n]).exists()]
    manifest = root / staticfiles_storage.manifest_name
    if not manifest.exists():
        yield problem(STATIC, f"not collected: {manifest} does not exist", COLLECT)
    elif missing:
        yield problem(STATIC, f"{len(missing)} files are missing, such as {missing[0]}", COLLECT)
    elif max(path.stat().st_mtime for path in sources.values()) > manifest.stat().st_mtime:
        yield warning(STATIC, f"older than their sources: {root}", COLLECT)
    else:
        yield ok(STATIC, f"{len(sources)} files are collected in {root}")


def _sources() -> Iterator[tuple[str, Path]]:
    for finder in get_finders():
        for name, storage in finder.list([]):
            yield name, Path(storage.path(name))


def base_image() -> Iterator[Finding]:
    """Whether the image was built from a digest. Says nothing where there is no image."""
    path = Path(settings.BASE_DIR) / "base-image"
    if not path.exists():
        return
    name = path.read_text(encoding="utf-8").strip()
    if "@sha256:" in name:
        yield ok(IMAGE, f"built from {name}")
        return
    yield warning(
        IMAGE,
        f"the image was built from {name}, and that tag may be moved to another image",
        "Run make digests and build again, or build with --build-arg BASE=NAME@sha256:DIGEST.",
    )
