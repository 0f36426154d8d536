"""The queue of messages: filled in the transaction in which levels change, and its log.

Every message has one id whatever becomes of it: receivers go by it, as a message may arrive twice.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson
from sqlalchemy import and_, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from portal_backend.core.arrays import among
from portal_backend.core.clock import format_time, parse_time
from portal_backend.core.db import chunks, serialise
from portal_backend.core.errors import Conflict, NotFound
from portal_backend.core.pagination import Page, bad_cursor, decode_cursor, encode_cursor
from portal_backend.core.principal import Principal
from scorecards.changes import ChangeCause, LevelChange, level_change, read_move
from scorecards.judging import Judging
from scorecards.models import Scorecard, ScorecardChange
from scorecards.webhooks.models import DeliveryState, WebhookDelivery, WebhookSubscription
from scorecards.webhooks.settings import WebhookSettings
from scorecards.webhooks.subscriptions import (
    AXIS_LEVEL_CHANGED,
    LEVEL_CHANGED,
    WEBHOOKS,
    events_of,
    require_keeper,
    subscription,
)

PING = "webhook.ping"
ROSE, FELL = "rose", "fell"


def enqueue(
    session: Session,
    judging: Judging,
    moves: Sequence[LevelChange],
    refs: Collection[str],
    settings: WebhookSettings,
    now: datetime,
) -> int:
    """Put a message for each change into the queue of each subscription that asks for it; return how many.

    `moves` are those of the overall levels; those of the axes are read back, of the services `refs` that were judged at
    `now`, where somebody asks for them. To be called in the transaction that keeps the changes. A change that is handed
    in again makes no second message; what is more than a subscription's queue holds is dropped and counted.
    """
    wanting = session.scalars(select(WebhookSubscription).where(WebhookSubscription.active)).all() if refs else ()
    if any(AXIS_LEVEL_CHANGED in events_of(one) for one in wanting):
        moves = [*moves, *axis_moves(session, refs, now)]
    if not wanting or not moves:
        return 0
    owners = _owners(session, {move.ref for move in moves})
    waiting = _waiting(session)
    rows: list[dict[str, Any]] = []
    for one in wanting:
        fitting = [move for move in moves if _fits(one, move, owners.get(move.ref), judging)]
        room = max(0, settings.max_waiting - waiting.get(one.id, 0))
        rows += [_level_row(one.id, move, owners.get(move.ref), settings, now) for move in fitting[:room]]
        one.dropped += len(fitting[room:])
    _add(session, rows)
    return len(rows)


def axis_moves(session: Session, refs: Collection[str], now: datetime) -> list[LevelChange]:
    """Return the levels of axes that moved in the judgement of `now`; where a service was judged first, none moved."""
    found = []
    for few in chunks(sorted(refs)):
        query = select(ScorecardChange.entity_ref, ScorecardChange.document)
        query = query.where(ScorecardChange.at == now, among(session, ScorecardChange.entity_ref, few))
        for ref, document in session.execute(query.order_by(ScorecardChange.id)):
            moves = map(read_move, orjson.loads(document)["levels"])
            told = [move for move in moves if move.axis is not None and move.cause is not ChangeCause.FIRST]
            found += [level_change(ref, move, now) for move in told]
    return found


def enqueue_ping(session: Session, subscription_id: str, event_id: str, principal: Principal, now: datetime) -> str:
    """Put a test message into the queue of a subscription, paused or not; return the message's id."""
    require_keeper(principal)
    serialise(session, WEBHOOKS)
    one = subscription(session, subscription_id)
    row = _row(one.id, f"ping:{event_id}", PING, {"subscription": one.id, "asked_by": principal.name}, now)
    _add(session, [row])
    return str(row["id"])


def deliveries(
    session: Session, subscription_id: str, state: DeliveryState | None, cursor: str | None, limit: int
) -> Page[WebhookDelivery]:
    """Return the messages of a subscription, the latest first; raises NotFound when there is no such subscription."""
    subscription(session, subscription_id)
    query = select(WebhookDelivery).where(WebhookDelivery.subscription_id == subscription_id)
    if state is not None:
        query = query.where(WebhookDelivery.state == state)
    if cursor is not None:
        at, last_id = _position(cursor)
        same_time = and_(WebhookDelivery.created_at == at, WebhookDelivery.id < last_id)
        query = query.where(or_(WebhookDelivery.created_at < at, same_time))
    query = query.order_by(WebhookDelivery.created_at.desc(), WebhookDelivery.id.desc())
    rows = list(session.scalars(query.limit(limit + 1)))
    if len(rows) <= limit:
        return Page(rows)
    last = rows[limit - 1]
    return Page(rows[:limit], encode_cursor([format_time(last.created_at), last.id]))


def delivery(session: Session, subscription_id: str, delivery_id: str) -> WebhookDelivery:
    """Return a message of a subscription; raises NotFound when there is none of this id."""
    found = None if "\0" in delivery_id else session.get(WebhookDelivery, delivery_id)
    if found is None or found.subscription_id != subscription_id:
        raise NotFound(f"The webhook {subscription_id} has no delivery {delivery_id}.")
    return found


def redeliver(
    session: Session, subscription_id: str, delivery_id: str, principal: Principal, now: datetime
) -> WebhookDelivery:
    """Put a message into the queue once more, with the same id and all its attempts; one that waits stays as it is.

    Raises Conflict while it is being sent.
    """
    require_keeper(principal)
    serialise(session, WEBHOOKS)
    found = delivery(session, subscription_id, delivery_id)
    if found.lease_until is not None and found.lease_until > now:
        raise Conflict(f"The delivery {delivery_id} is being sent; ask again in a minute.")
    if found.state != DeliveryState.DUE:
        found.state, found.attempts, found.due_at = DeliveryState.DUE, 0, now
        session.flush()
    return found


def _position(cursor: str) -> tuple[datetime, str]:
    position = decode_cursor(cursor)
    if not (isinstance(position, list) and len(position) == 2 and all(isinstance(part, str) for part in position)):
        raise bad_cursor()
    try:
        if "\0" in position[1]:
            raise bad_cursor()
        return parse_time(position[0]), position[1]
    except (ValueError, OverflowError) as error:
        raise bad_cursor() from error


def _owners(session: Session, refs: set[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for some in chunks(sorted(refs)):
        query = select(Scorecard.entity_ref, Scorecard.owner).where(Scorecard.entity_ref.in_(some))
        found |= dict(session.execute(query).all())
    return found


def _waiting(session: Session) -> dict[str, int]:
    """Return how many messages wait for each subscription."""
    query = (
        select(WebhookDelivery.subscription_id, func.count())
        .where(WebhookDelivery.state == DeliveryState.DUE)
        .group_by(WebhookDelivery.subscription_id)
    )
    return dict(session.execute(query).all())


def _fits(one: WebhookSubscription, move: LevelChange, owner: str | None, judging: Judging) -> bool:
    """Say whether a subscription asks for a change.

    An axis is the one that moved, or, where the overall level did, that of the checks that moved it.
    """
    checks = judging.catalogue.checks
    axes = {move.axis} if move.axis else {checks[check].axis for check in move.checks if check in checks}
    return (
        kind_of(move) in events_of(one)
        and (one.service is None or one.service == move.ref)
        and (one.owner is None or one.owner == owner)
        and (one.direction is None or one.direction == direction_of(move))
        and (one.axis is None or one.axis in axes)
    )


def kind_of(move: LevelChange) -> str:
    """Return the kind of message that tells of a change."""
    return LEVEL_CHANGED if move.axis is None else AXIS_LEVEL_CHANGED


def direction_of(move: LevelChange) -> str:
    """Say whether a service rose or fell; one that is judged for the first time rises to where it is."""
    return FELL if (move.to_level or "") < (move.from_level or "") else ROSE


def _level_row(
    subscription_id: str, move: LevelChange, owner: str | None, settings: WebhookSettings, now: datetime
) -> dict[str, Any]:
    path = quote(move.ref.replace(":", "/", 1))
    data = {
        "service": move.ref,
        "owner": owner,
        **({} if move.axis is None else {"axis": move.axis.value}),
        "from": move.from_level,
        "to": move.to_level,
        "direction": direction_of(move),
        "cause": str(move.cause),
        "sentence": move.sentence,
        "checks": list(move.checks),
        "at": format_time(move.at),
        "scorecard": f"/api/services/{path}/scorecard",
        "page": f"{settings.public_url}/pages/{path}",
    }
    return _row(subscription_id, move.event_id, kind_of(move), data, now)


def _row(subscription_id: str, event_id: str, type_: str, data: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    digest = hashlib.sha256(f"{subscription_id}\n{event_id}".encode()).hexdigest()
    return {
        "id": f"msg_{digest[:32]}",
        "subscription_id": subscription_id,
        "event_id": event_id,
        "type": type_,
        "body": orjson.dumps({"type": type_, "timestamp": format_time(now), "data": data}).decode(),
        "state": DeliveryState.DUE,
        "attempts": 0,
        "due_at": now,
        "created_at": now,
    }


def _add(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert messages; those that are there already stay as they are."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    if rows:
        session.execute(dialect.insert(WebhookDelivery).on_conflict_do_nothing(), list(rows))
