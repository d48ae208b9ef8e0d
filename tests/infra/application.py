"""A client of the identity provider that stands in for the application."""

import base64
import hashlib
import secrets
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests
from joserfc import jwt
from joserfc.jwk import KeySet

from .provider import Provider

OURS = "http://127.0.0.1:8123"
CALLBACK = f"{OURS}/oidc/callback/"
Claims = dict[str, Any]


class Application:
    """A client of the provider that shows what comes back, and checks little."""

    def __init__(self, provider: Provider, visitor: requests.Session | None = None) -> None:
        self.provider, self.visitor = provider, visitor or requests.Session()
        self.verifier = secrets.token_urlsafe(48)

    def authorize(self, name: str = "ada", **more: Any) -> dict[str, str]:
        """What comes back to the callback. A parameter given as None is left out."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        asked = {
            "client_id": self.provider.client_id,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid profile email groups",
            "state": "the-state",
            "nonce": "the-nonce",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        } | more
        query = urlencode({key: value for key, value in asked.items() if value is not None})
        back = self.provider.visit(self.visitor, f"{self.provider.issuer}/auth?{query}", name)
        assert back.startswith(CALLBACK), back
        return {key: values[0] for key, values in parse_qs(urlsplit(back).query).items()}

    def token(self, **fields: str) -> Claims:
        """What the token endpoint answers."""
        credentials = (self.provider.client_id, self.provider.client_secret)
        address = f"{self.provider.issuer}/token"
        answer: Claims = requests.post(address, fields, auth=credentials, timeout=5).json()
        return answer

    def sign_in(self, name: str = "ada", **more: Any) -> Claims:
        """The tokens of a whole sign-in."""
        code = self.authorize(name, **more)["code"]
        return self.exchange(code, self.verifier)

    def exchange(self, code: str, verifier: str) -> Claims:
        grant = "authorization_code"
        return self.token(
            grant_type=grant, code=code, redirect_uri=CALLBACK, code_verifier=verifier
        )

    def refresh(self, tokens: Claims) -> Claims:
        return self.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])

    def userinfo(self, tokens: Claims) -> Claims:
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        answer: Claims = requests.get(
            f"{self.provider.issuer}/me", headers=headers, timeout=5
        ).json()
        return answer


def opened(provider: Provider, token: str) -> Claims:
    """The claims of a token, if its signature is right."""
    keys = requests.get(f"{provider.issuer}/jwks", timeout=5).json()
    return jwt.decode(token, KeySet.import_key_set(keys), algorithms=["RS256"]).claims
