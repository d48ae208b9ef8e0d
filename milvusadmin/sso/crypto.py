"""The provider's tokens at rest: encrypted with a key made from SECRET_KEY."""

import base64
import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

INFO = b"milvus-admin tokens"


def encrypt_tokens(tokens: dict[str, Any]) -> str:
    """What of a token response is kept: the refresh token, and the ID token for signing out."""
    kept = {name: tokens[name] for name in ("refresh_token", "id_token") if tokens.get(name)}
    return fernet(INFO).encrypt(json.dumps(kept).encode()).decode()


def decrypt_tokens(text: str) -> dict[str, str]:
    """The tokens; none if they were encrypted with another SECRET_KEY."""
    try:
        return dict(json.loads(fernet(INFO).decrypt(text.encode())))
    except InvalidToken:
        return {}


def fernet(info: bytes) -> Fernet:
    """A key made from SECRET_KEY, one for each purpose."""
    key = HKDF(SHA256(), 32, salt=None, info=info)
    return Fernet(base64.urlsafe_b64encode(key.derive(settings.SECRET_KEY.encode())))
