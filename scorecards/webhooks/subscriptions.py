"""Who is told of changes of levels: made, read, paused and ended by people."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal_backend.core.db import serialise
from portal_backend.core.errors import Conflict, Fault, InvalidInput, NotAllowed, NotFound
from portal_backend.core.principal import Principal, Role
from scorecards.webhooks.addresses import check_url
from scorecards.webhooks.models import WebhookSubscription
from scorecards.webhooks.settings import WebhookSettings
from scorecards.webhooks.signing import make_secret, reveal

NAMESPACE = uuid.UUID("b1f1f6f0-3c0f-4c55-9d5e-6f7a6d1c2a10")
KEEPERS = (Role.SRE_LEAD, Role.SRE_MANAGER, Role.PLATFORM_OWNER)
WEBHOOKS = "webhooks"
"""One transaction changes subscriptions and their queues at a time; none of them waits for a receiver."""
FILTERS = ("service", "owner", "axis", "direction")
LEVEL_CHANGED = "scorecard.level_changed"
AXIS_LEVEL_CHANGED = "scorecard.axis_level_changed"
EVENTS = (LEVEL_CHANGED, AXIS_LEVEL_CHANGED)
"""The kinds of message that one may ask for."""


@dataclass(frozen=True)
class Made:
    """A subscription, and its secret if it was made just now: it is never shown again."""

    subscription: WebhookSubscription
    secret: str | None
    is_new: bool


def subscribe(
    session: Session,
    url: str,
    filters: Mapping[str, str | None],
    events: Collection[str],
    secret_reference: str | None,
    principal: Principal,
    settings: WebhookSettings,
    now: datetime,
) -> Made:
    """Have an address told of changes of these kinds; the same address, kinds and filters are one subscription.

    Without a reference to a secret one is made. Raises NotAllowed without the role, InvalidInput for an address that
    nothing may be sent to or a secret that is not there, Conflict when the subscription exists with another secret or
    there are too many.
    """
    require_keeper(principal)
    check_url(url, settings.allow_private_addresses)
    _check_secret(secret_reference)
    serialise(session, WEBHOOKS)
    chosen = {name: filters.get(name) for name in FILTERS}
    kinds = _written(events)
    asked = [url, chosen] if kinds is None else [url, chosen, kinds]
    subscription_id = str(uuid.uuid5(NAMESPACE, orjson.dumps(asked).decode()))
    present = session.get(WebhookSubscription, subscription_id)
    if present is not None:
        if present.secret_reference != secret_reference:
            raise Conflict(f"The subscription {subscription_id} exists with another secret; delete it first.")
        return Made(present, None, is_new=False)
    if (session.scalar(select(func.count()).select_from(WebhookSubscription)) or 0) >= settings.max_subscriptions:
        raise Conflict(f"There are {settings.max_subscriptions} subscriptions already; delete one that nobody needs.")
    secret = None if secret_reference else make_secret()
    made = WebhookSubscription(
        id=subscription_id,
        url=url,
        secret_reference=secret_reference,
        secret=secret,
        **chosen,
        events=kinds,
        active=True,
        inactive_reason=None,
        dropped=0,
        created_at=now,
        created_by=principal.name,
    )
    session.add(made)
    session.flush()
    return Made(made, secret, is_new=True)


def events_of(one: WebhookSubscription) -> Sequence[str]:
    """Return the kinds of message that a subscription asks for."""
    return one.events.split(",") if one.events else (LEVEL_CHANGED,)


def _written(events: Collection[str]) -> str | None:
    chosen = [event for event in EVENTS if event in events]
    return None if chosen == [LEVEL_CHANGED] else ",".join(chosen)


def subscriptions(session: Session) -> Sequence[WebhookSubscription]:
    """Return every subscription, the oldest first; their number is bounded."""
    return session.scalars(
        select(WebhookSubscription).order_by(WebhookSubscription.created_at, WebhookSubscription.id)
    ).all()


def subscription(session: Session, subscription_id: str) -> WebhookSubscription:
    """Return a subscription; raises NotFound when there is none of this id."""
    found = None if "\0" in subscription_id else session.get(WebhookSubscription, subscription_id)
    if found is None:
        raise NotFound(f"There is no webhook {subscription_id}; /api/scorecards/webhooks lists them.")
    return found


def set_active(session: Session, subscription_id: str, active: bool, principal: Principal) -> WebhookSubscription:
    """Pause a subscription, or let it go on; what waits for it is sent when it goes on."""
    require_keeper(principal)
    serialise(session, WEBHOOKS)
    found = subscription(session, subscription_id)
    found.active = active
    found.inactive_reason = None if active else f"Paused by {principal.name}."
    session.flush()
    return found


def unsubscribe(session: Session, subscription_id: str, principal: Principal) -> None:
    """End a subscription and forget its messages; one that is not there is ended already."""
    require_keeper(principal)
    serialise(session, WEBHOOKS)
    found = None if "\0" in subscription_id else session.get(WebhookSubscription, subscription_id)
    if found is not None:
        session.delete(found)


def require_keeper(principal: Principal) -> None:
    """Raise NotAllowed unless the principal may keep webhooks."""
    if not principal.has_role(*KEEPERS):
        words = ", ".join(role.value for role in KEEPERS)
        raise NotAllowed(f"Webhooks are kept by people with one of the roles {words}; {principal.name} has none.")


def _check_secret(reference: str | None) -> None:
    if reference is None:
        return
    try:
        reveal(reference, None)
    except LookupError as error:
        message = f"{error.args[0]}; set it where the server and the workers run, or leave secret out to be given one"
        raise InvalidInput(f"secret: {message}.", [Fault("secret", message)]) from error
