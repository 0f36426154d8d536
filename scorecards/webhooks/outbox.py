"""Sends what is due. No transaction is open while a receiver is waited for.

An attempt holds a lease on its message, so that of two workers one sends it. One whose worker died is free again when
the lease ends.
"""

import random
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from portal_backend.core.db import serialise
from scorecards.webhooks import signing
from scorecards.webhooks.deliveries import PING
from scorecards.webhooks.models import DeliveryState, WebhookDelivery, WebhookSubscription
from scorecards.webhooks.sending import Outcome, send
from scorecards.webhooks.settings import JITTER, LONGEST_WAIT, WAITS, WebhookSettings
from scorecards.webhooks.subscriptions import WEBHOOKS

Transaction = Callable[[], AbstractContextManager[Session]]
AT_ONCE = 40
"""Messages of one call; the next call of the upkeep takes the next."""
SIDE_BY_SIDE = 8
MARGIN = timedelta(minutes=1)


@dataclass(frozen=True)
class Attempt:
    """One attempt at one message, taken out of the database."""

    delivery_id: str
    token: str
    url: str
    reference: str | None
    secret: str | None
    body: str


def deliver_due(transaction: Transaction, settings: WebhookSettings, clock: Callable[[], datetime]) -> int:
    """Send the messages that are due, each at most once at a time; return how many were tried.

    `transaction` opens one, `portal_backend.core.db.transaction`; it is opened before and after the sending.
    """
    now = clock()
    with transaction() as session:
        attempts = _take(session, settings, now, None)
        _forget_old(session, settings, now)
    _send(transaction, attempts, settings, clock)
    return len(attempts)


def deliver_now(
    transaction: Transaction, delivery_id: str, settings: WebhookSettings, clock: Callable[[], datetime]
) -> None:
    """Send one message at once, if it is due and nobody else is sending it."""
    with transaction() as session:
        attempts = _take(session, settings, clock(), delivery_id)
    _send(transaction, attempts, settings, clock)


def _take(session: Session, settings: WebhookSettings, now: datetime, delivery_id: str | None) -> list[Attempt]:
    """Lease messages that are due, the longest due first. A ping is sent to a paused subscription too."""
    serialise(session, WEBHOOKS)
    free = or_(WebhookDelivery.lease_until.is_(None), WebhookDelivery.lease_until < now)
    query = (
        select(WebhookDelivery, WebhookSubscription)
        .join(WebhookSubscription, WebhookSubscription.id == WebhookDelivery.subscription_id)
        .where(WebhookDelivery.state == DeliveryState.DUE, WebhookDelivery.due_at <= now, free)
        .where(or_(WebhookSubscription.active, WebhookDelivery.type == PING))
        .order_by(WebhookDelivery.due_at, WebhookDelivery.id)
        .limit(AT_ONCE)
    )
    if delivery_id is not None:
        query = query.where(WebhookDelivery.id == delivery_id)
    lease = timedelta(seconds=settings.timeout_seconds) * (AT_ONCE / SIDE_BY_SIDE + 1) + MARGIN
    attempts = []
    for message, of in session.execute(query).all():
        message.lease_token, message.lease_until = secrets.token_hex(8), now + lease
        message.attempts += 1
        message.last_attempt_at = now
        attempts.append(Attempt(message.id, message.lease_token, of.url, of.secret_reference, of.secret, message.body))
    return attempts


def _send(
    transaction: Transaction, attempts: Sequence[Attempt], settings: WebhookSettings, clock: Callable[[], datetime]
) -> None:
    if not attempts:
        return
    with ThreadPoolExecutor(SIDE_BY_SIDE, "webhooks") as threads:
        outcomes = list(threads.map(lambda attempt: _try(attempt, settings, clock()), attempts))
    with transaction() as session:
        serialise(session, WEBHOOKS)
        now = clock()
        for attempt, outcome in zip(attempts, outcomes, strict=True):
            _record(session, attempt, outcome, settings, now)


def _try(attempt: Attempt, settings: WebhookSettings, now: datetime) -> Outcome:
    try:
        secret = signing.reveal(attempt.reference, attempt.secret)
    except LookupError as error:
        return Outcome(error=f"not sent unsigned: {error.args[0]}")
    body = attempt.body.encode()
    return send(attempt.url, signing.headers(secret, attempt.delivery_id, body, now), body, settings)


def _record(session: Session, attempt: Attempt, outcome: Outcome, settings: WebhookSettings, now: datetime) -> None:
    """Write down how an attempt went, unless its lease ran out and the message is another's by now."""
    message = session.get(WebhookDelivery, attempt.delivery_id)
    if message is None or message.lease_token != attempt.token:
        return
    message.lease_token = message.lease_until = None
    message.last_status, message.last_error = outcome.status, outcome.error
    if outcome.error is None:
        message.state = DeliveryState.DELIVERED
        return
    last = message.type == PING or message.attempts >= settings.attempts
    if outcome.gone or last:
        message.state = DeliveryState.DEAD
    else:
        message.due_at = now + wait_after(message.attempts, random.random(), outcome.retry_after)  # noqa: S311
    if outcome.gone:
        of = session.get(WebhookSubscription, message.subscription_id)
        if of is not None:
            of.active = False
            of.inactive_reason = "The receiver answered 410: it wants no more messages."


def wait_after(attempts: int, chance: float, asked: timedelta | None = None) -> timedelta:
    """Return how long to wait after so many attempts; `chance` (0 to 1) spreads those that failed together.

    What the receiver asks for is kept to, up to LONGEST_WAIT.
    """
    planned = WAITS[min(attempts, len(WAITS)) - 1] * (1 + JITTER * chance)
    return max(planned, min(asked, LONGEST_WAIT)) if asked else planned


def _forget_old(session: Session, settings: WebhookSettings, now: datetime) -> None:
    """Drop from the log what was done with long ago."""
    done = WebhookDelivery.state.in_((DeliveryState.DELIVERED, DeliveryState.DEAD))
    old = WebhookDelivery.created_at < now - timedelta(days=settings.keep_days)
    session.execute(delete(WebhookDelivery).where(done, old))
