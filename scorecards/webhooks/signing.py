"""Signatures by the Standard Webhooks specification: HMAC-SHA256 over id, timestamp and body."""

import base64
import binascii
import hashlib
import hmac
import secrets
from datetime import datetime

from portal_backend.core.config import Secret

PREFIX = "whsec_"
REFERENCE = r"^\$\{PORTAL_WEBHOOK_[A-Z0-9_]{1,80}\}$"
"""A subscriber may name no other variable: a signature by it would let guesses at it be tested."""


def make_secret() -> str:
    """Return a new secret in the specification's form."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def reveal(reference: str | None, secret: str | None) -> str:
    """Return the secret itself; raises LookupError when the reference leads nowhere."""
    return Secret(reference).reveal() if reference else secret or ""


def headers(secret: str, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """Return the three headers by which a receiver knows the sender, the message, and that it is recent."""
    timestamp = str(int(now.timestamp()))
    signed = b".".join([message_id.encode(), timestamp.encode(), body])
    signature = base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest()).decode()
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}


def _key(secret: str) -> bytes:
    """Return the key: what `whsec_` is followed by is base64; another secret is taken as it is."""
    if secret.startswith(PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            pass
    return secret.encode()
