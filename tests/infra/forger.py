"""An OpenID provider in this process that answers whatever a test wants, forgeries included."""

import base64
import contextlib
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jws
from joserfc.jwk import RSAKey

Claims = dict[str, Any]
DISCOVERY = "/.well-known/openid-configuration"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
KID = "the-key"


@dataclass(frozen=True)
class Reply:
    """What one address answers instead of the truth. Text is sent as it is, all else as JSON.

    With `breaker_cooldown` each byte comes that many seconds after the one before.
    """

    body: Any = ""
    status: int = 200
    pause: float = 0.0
    kind: str = ""  # of content, if it is not the usual one


@dataclass(frozen=True)
class In:
    """The moment so many seconds after a token is made."""

    seconds: int


@cache
def key(name: str = KID, kid: str = KID) -> RSAKey:
    """A key of that name; another name is another key, which may claim the same kid."""
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})


# --- tokens ---------------------------------------------------------------------------------------


def signed(claims: Claims, by: RSAKey | None = None, **header: Any) -> str:
    """An honest token, or one by another key or with another header."""
    header = {"alg": "RS256", "kid": KID, **header}
    return jws.serialize_compact(header, json.dumps(claims).encode(), by or key())


def unsigned(claims: Claims, alg: str = "none") -> str:
    """A token that says it needs no signature."""
    return f"{_part({'alg': alg, 'kid': KID})}.{_part(claims)}."


def by_secret(claims: Claims, secret: bytes) -> str:
    """A token signed with something that is no secret of the provider alone."""
    text = f"{_part({'alg': 'HS256', 'kid': KID})}.{_part(claims)}"
    return f"{text}.{_base64(hmac.digest(secret, text.encode(), hashlib.sha256))}"


def tampered(claims: Claims, **changes: Any) -> str:
    """An honest token whose content was changed afterwards."""
    header, _, signature = signed(claims).split(".")
    return f"{header}.{_part(claims | changes)}.{signature}"


def public_key() -> bytes:
    """What everybody can know about the provider's key."""
    return bytes(key().as_pem(private=False))


def _part(data: Claims) -> str:
    return _base64(json.dumps(data).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def finished(claims: Claims) -> Claims:
    """The claims with moments worked out, and without those that are None: they are not there."""
    now = int(time.time())
    return {
        name: now + value.seconds if isinstance(value, In) else value
        for name, value in claims.items()
        if value is not None
    }


# --- the provider ---------------------------------------------------------------------------------


@dataclass
class Forger:
    """One provider. Ada signs in at it, unless `claims` say otherwise.

    `claims` change the ID token (None leaves one out), `make` makes the token of them, `tokens`
    changes what comes beside it, `userinfo` that answer, `discovery` the document; `replies`
    replace the answer of an address. If it `rotates`, a refresh token counts once. Its clock is
    `ahead` by so many seconds. `asked` holds each request it got, `forms` what came to the token
    endpoint.
    """

    issuer: str
    client_id: str = "milvus-admin"
    client_secret: str = "the secret of the forger's client"
    claims: Claims = field(default_factory=dict)
    make: Callable[[Claims], str] = signed
    userinfo: Claims = field(default_factory=dict)
    discovery: Claims = field(default_factory=dict)
    replies: dict[str, Reply] = field(default_factory=dict)
    tokens: Claims = field(default_factory=dict)
    keys: list[RSAKey] = field(default_factory=lambda: [key()])
    rotates: bool = False
    ahead: float = 0.0
    nonce: str = ""
    asked: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    _codes: set[str] = field(default_factory=set)
    _refreshed: int = 0

    def grant(self, address: str) -> dict[str, str]:
        """What the browser brings back from there after signing in: a new code, and the state."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        self.nonce = query["nonce"]
        code = f"code-{len(self.forms)}-{len(self._codes)}-{time.monotonic_ns()}"
        self._codes.add(code)
        return {"code": code, "state": query["state"]}

    def redeem(self, code: str) -> None:
        """Somebody else was faster with this code."""
        self._codes.discard(code)

    def id_claims(self) -> Claims:
        """What the next ID token says."""
        return finished(
            {
                "iss": self.issuer,
                "aud": self.client_id,
                "sub": "ada",
                "iat": In(0),
                "exp": In(300),
                "auth_time": In(0),
                "nonce": self.nonce,
                "sid": "session-1",
                "name": "Ada Osei",
                "groups": ["ml-platform"],
            }
            | self.claims
        )

    def logout_claims(self, **changes: Any) -> Claims:
        """What a logout token for Ada's session says; None leaves a claim out."""
        return finished(
            {
                "iss": self.issuer,
                "aud": self.client_id,
                "sub": "ada",
                "sid": "session-1",
                "iat": In(0),
                "exp": In(120),
                "jti": f"logout-{time.monotonic_ns()}",
                "events": {LOGOUT_EVENT: {}},
            }
            | changes
        )

    def answer(self, path: str, form: dict[str, str]) -> Reply:
        """What it says to a request."""
        self.asked.append(path)
        if path in self.replies:
            return self.replies[path]
        truths: dict[str, Callable[[], Reply]] = {
            DISCOVERY: lambda: Reply(self._document()),
            "/jwks": lambda: Reply({"keys": [k.as_dict(private=False) for k in self.keys]}),
            "/token": lambda: self._token(form),
            "/userinfo": lambda: Reply(finished({"sub": "ada"} | self.userinfo)),
        }
        return truths[path]() if path in truths else Reply("no such page", 404)

    def _document(self) -> Claims:
        honest = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "end_session_endpoint": f"{self.issuer}/end",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        }
        return finished(honest | self.discovery)

    def _token(self, form: dict[str, str]) -> Reply:
        """A code counts once."""
        self.forms.append(form)
        if form["grant_type"] == "authorization_code" and form.get("code") in self._codes:
            self.redeem(form["code"])
        elif form.get("refresh_token") not in self._good():
            return Reply({"error": "invalid_grant"}, 400)
        else:
            self._refreshed += 1
        made = {"access_token": "an-access-token", "token_type": "Bearer", "expires_in": 300}
        made |= {"id_token": self.make(self.id_claims()), "refresh_token": self._good()[-1]}
        return Reply(finished(made | self.tokens))

    def _good(self) -> list[str]:
        """The refresh tokens that count, the newest last."""
        known = [f"refresh-token-{number}" for number in range(self._refreshed + 1)]
        return known[-1:] if self.rotates else known


class Server(ThreadingHTTPServer):
    daemon_threads = True
    forger: Forger


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._answer({name: values[0] for name, values in parse_qs(body).items()})

    def _answer(self, form: dict[str, str]) -> None:
        reply = self.server.forger.answer(urlsplit(self.path).path, form)
        text = isinstance(reply.body, str)
        body = reply.body.encode() if text else json.dumps(reply.body).encode()
        with contextlib.suppress(OSError):  # who asked may have lost patience
            self.send_response(reply.status)
            usual = "text/html" if text else "application/json"
            self.send_header("Content-Type", reply.kind or usual)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self._send(body, reply.pause)

    def _send(self, body: bytes, pause: float) -> None:
        if not pause:
            self.wfile.write(body)
            return
        for byte in body:
            time.sleep(pause)
            self.wfile.write(bytes([byte]))

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(time.time() + self.server.forger.ahead)

    def log_message(self, format: str, *args: Any) -> None:
        return


@contextlib.contextmanager
def forger() -> Iterator[Forger]:
    """A running forger, on a port of its own."""
    with Server(("127.0.0.1", 0), Handler) as server:
        server.forger = Forger(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        try:
            yield server.forger
        finally:
            server.shutdown()
