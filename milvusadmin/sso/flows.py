"""Sign-ins on their way: begun here, and now at the identity provider.

Nothing of them is kept here. The `state` that goes there and comes back holds where the sign-in
leads, encrypted; a small cookie of its own says that this browser began it. So tabs that are
restored together don't lose each other's sign-in, and strangers leave no rows.
"""

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass
from functools import cached_property

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from .crypto import fernet

COOKIE = f"{settings.COOKIE_KIND}flow-"
SECONDS = 15 * 60  # for which a person may take to sign in at the provider
AT_ONCE = 40  # cookies of one browser: each goes along with every request until it is over
LONGEST = 1500  # a longer `next` would make an address that some server refuses


@dataclass(frozen=True)
class Flow:
    """One sign-in: what for, where it leads, and the secret in this browser's cookie."""

    next: str
    purpose: str
    key: str

    @cached_property
    def state(self) -> str:
        """What goes to the provider and comes back."""
        sealed = _fernet().encrypt(json.dumps(asdict(self)).encode())
        return sealed.decode().rstrip("=")

    @property
    def nonce(self) -> str:
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        return self._derived("verifier")

    @property
    def cookie(self) -> str:
        return COOKIE + hashlib.sha256(self.key.encode()).hexdigest()[:10]

    def _derived(self, what: str) -> str:
        """43 characters that only we can make from the key."""
        text = f"milvus-admin {what}\0{self.key}".encode()
        digest = hmac.new(settings.SECRET_KEY.encode(), text, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def begin(purpose: str, leads_to: str, otherwise: str) -> Flow:
    """A new sign-in. `otherwise` is where it leads if the address is too long to travel."""
    fitting = leads_to if len(leads_to) <= LONGEST else otherwise
    return Flow(next=fitting, purpose=purpose, key=secrets.token_urlsafe(16))


def remember(request: HttpRequest, response: HttpResponse, flow: Flow) -> None:
    """Give the browser the cookie of this sign-in, and take the oldest ones of too many."""
    begun = [name for name in request.COOKIES if name.startswith(COOKIE)]  # oldest first
    for name in begun[: max(len(begun) + 1 - AT_ONCE, 0)]:
        response.delete_cookie(name, path=settings.SESSION_COOKIE_PATH, samesite="Lax")
    response.set_cookie(
        flow.cookie,
        flow.key,
        max_age=SECONDS,
        path=settings.SESSION_COOKIE_PATH,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",  # it comes back by a link from the provider
    )


def found(request: HttpRequest) -> Flow | None:
    """The sign-in that this browser comes back from; None if it began none such lately."""
    state = request.GET.get("state", "")
    try:
        padded = state + "=" * (-len(state) % 4)
        flow = Flow(**json.loads(_fernet().decrypt(padded.encode(), ttl=SECONDS)))
    except (InvalidToken, ValueError):
        return None
    kept = request.COOKIES.get(flow.cookie, "")
    return flow if hmac.compare_digest(kept.encode(), flow.key.encode()) else None


def forget(response: HttpResponseBase, flow: Flow) -> None:
    """It counts once."""
    response.delete_cookie(flow.cookie, path=settings.SESSION_COOKIE_PATH, samesite="Lax")


def _fernet() -> Fernet:
    return fernet(b"milvus-admin sign-in")
