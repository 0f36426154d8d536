"""Service tokens of our own: hashed, scoped, expiring."""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from flask import Flask, Request, current_app
from sqlalchemy import JSON, event, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal_backend.core import clock
from portal_backend.core.db import Model
from portal_backend.core.errors import Fault, InvalidInput, NotAuthenticated, NotFound
from portal_backend.core.principal import Principal, Role
from portal_backend.core.quick_reading import quick_reading

PREFIX = "ptl"
EXTENSION = "portal_verified_tokens"
TRUSTED_SECONDS = 5.0
"""For how long a process takes a token that it has verified without asking the database whether it was revoked."""
MAX_TRUSTED = 1_000
"""Tokens that a process trusts at a time."""
MAX_LIFETIME = timedelta(days=366)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@-]{0,99}")
SCOPE = re.compile(r"\*|(\*|[a-z-]+):(\*|read|write)")


class ServiceToken(Model):
    """A token that was issued. The secret itself is shown once and never stored."""

    __tablename__ = "service_token"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    """Whom it speaks for; the actor in the history."""
    secret_hash: Mapped[str]
    """SHA-256 of the secret, which is 256 random bits: a slow hash would protect nothing more."""
    roles: Mapped[list[str]] = mapped_column(JSON)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


@dataclass(frozen=True)
class IssuedToken:
    """A new token: the only moment at which its text is known."""

    token: ServiceToken
    text: str


def issue_token(
    session: Session, name: str, roles: Collection[str], scopes: Collection[str], lifetime: timedelta, now: datetime
) -> IssuedToken:
    """Make a token; raises InvalidInput naming each fault (name, role, scope, lifetime up to a year)."""
    faults = _faults(name, roles, scopes, lifetime)
    if faults:
        raise InvalidInput("the token cannot be issued", faults)
    secret = secrets.token_urlsafe(32)
    token = ServiceToken(
        id=secrets.token_hex(8),
        name=name,
        secret_hash=_hash(secret),
        roles=sorted(set(roles)),
        scopes=sorted(set(scopes)),
        created_at=now,
        expires_at=now + lifetime,
        revoked_at=None,
    )
    session.add(token)
    return IssuedToken(token, f"{PREFIX}_{token.id}_{secret}")


def revoke_token(session: Session, token_id: str, now: datetime) -> ServiceToken:
    """End a token; repeating it changes nothing. Raises NotFound.

    This process refuses it as soon as that is committed, others within TRUSTED_SECONDS. Needs an app context.
    """
    token = session.get(ServiceToken, token_id)
    if token is None:
        raise NotFound(f"There is no token {token_id}; `portal token list` shows them.")
    token.revoked_at = token.revoked_at or now
    event.listen(session, "after_commit", _forget_all(current_app.extensions), once=True)
    return token


def _forget_all(extensions: dict[str, Any]) -> Callable[[Session], None]:
    def forget(_session: Session) -> None:
        extensions[EXTENSION] = {}  # a new one: what is being verified meanwhile goes into the old one

    return forget


def init_app(app: Flask) -> None:
    """Prepare what this process remembers of tokens."""
    app.extensions[EXTENSION] = {}


def list_tokens(session: Session) -> Sequence[ServiceToken]:
    """Return every token that was issued, newest first."""
    return session.scalars(select(ServiceToken).order_by(ServiceToken.created_at.desc(), ServiceToken.id)).all()


def authenticate(asking: Request) -> Principal | None:
    """Return whom a service token speaks for, or None when the request bears none of ours.

    Raises NotAuthenticated when the token is unknown, revoked or expired.
    """
    scheme, _, text = asking.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer" or not text.startswith(f"{PREFIX}_"):
        return None
    digest = hashlib.sha256(text.encode()).digest()
    verified: dict[bytes, _Verified] = current_app.extensions[EXTENSION]
    known = verified.get(digest)
    if known and known.until > time.monotonic() and known.expires_at > clock.now():
        return known.principal
    asked_at = time.monotonic()
    expires_at, principal = _verify(text)
    if len(verified) >= MAX_TRUSTED:
        verified.clear()
    verified[digest] = _Verified(principal, expires_at, asked_at + TRUSTED_SECONDS)
    return principal


def _verify(text: str) -> tuple[datetime, Principal]:
    """Return until when a token holds and whom it speaks for, as the database has it; raises NotAuthenticated."""
    token_id, _, secret = text.strip().removeprefix(f"{PREFIX}_").partition("_")
    token = _find(token_id)
    if token is None or not hmac.compare_digest(token.secret_hash, _hash(secret)):
        raise NotAuthenticated("This token is not known here; `portal token issue` makes one.")
    if token.revoked_at is not None:
        raise NotAuthenticated("This token was revoked.")
    if token.expires_at <= clock.now():
        raise NotAuthenticated(f"This token expired at {clock.format_time(token.expires_at)}.")
    roles = frozenset(Role(role) for role in token.roles)
    return token.expires_at, Principal(token.name, roles, frozenset(token.scopes))


class _Verified(NamedTuple):
    """Whom a token speaks for, as long as that need not be looked up again."""

    principal: Principal
    expires_at: datetime
    until: float
    """On this process's monotonic clock."""


class _Known(NamedTuple):
    """What is stored of a token, as far as a request depends on it."""

    name: str
    secret_hash: str
    roles: list[str]
    scopes: list[str]
    expires_at: datetime
    revoked_at: datetime | None


COLUMNS = tuple(getattr(ServiceToken, name) for name in _Known._fields)
BY_ID = f"SELECT {', '.join(_Known._fields)} FROM service_token WHERE id = %s"  # noqa: S608 (our own names)


def _find(token_id: str) -> _Known | None:
    """Read what the database has now."""
    with quick_reading() as reader:
        rows = reader.rows(BY_ID, (token_id,), COLUMNS) if "\0" not in token_id else []
    return _Known(*rows[0]) if rows else None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _faults(name: str, roles: Collection[str], scopes: Collection[str], lifetime: timedelta) -> list[Fault]:
    faults = []
    if not NAME.fullmatch(name):
        faults.append(Fault("name", "must be 1 to 100 letters, digits, spaces, . _ @ or -"))
    known = {role.value for role in Role}
    faults += [Fault("role", f"{role!r} is none of {', '.join(sorted(known))}") for role in roles if role not in known]
    if not scopes:
        faults.append(Fault("scope", "give at least one, such as *:read"))
    faults += [
        Fault("scope", f"{scope!r} is not <area>:read or <area>:write (or *, *:read, <area>:*)")
        for scope in scopes
        if not SCOPE.fullmatch(scope)
    ]
    if not timedelta() < lifetime <= MAX_LIFETIME:
        faults.append(Fault("expires-in", f"must be more than nothing and at most {MAX_LIFETIME.days}d"))
    return faults
