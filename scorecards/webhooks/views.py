"""HTTP: webhooks on changes of levels, over all and of axes."""

import uuid
from typing import Any

from flask import Response

from portal_backend.core import clock
from portal_backend.core.auth import current_principal
from portal_backend.core.db import reading, transaction
from portal_backend.core.http import NoBody, plain_json
from portal_backend.core.pagination import Page
from portal_backend.core.whole_lists import WholeQuery, page_of
from scorecards.blueprints import blueprint
from scorecards.schemas import NoQuery
from scorecards.webhooks import deliveries, outbox, settings, subscriptions
from scorecards.webhooks.models import WebhookDelivery, WebhookSubscription
from scorecards.webhooks.schemas import (
    DeliveryPageSchema,
    DeliveryQuery,
    DeliverySchema,
    MadeSubscriptionSchema,
    PingBody,
    SubscribeBody,
    SubscriptionListSchema,
    SubscriptionSchema,
    WebhookChangeBody,
)

ROOT = "/scorecards/webhooks"
ONE = f"{ROOT}/<string:subscription_id>"


@blueprint.get(ROOT)
@blueprint.arguments(WholeQuery, location="query")
@blueprint.response(200, SubscriptionListSchema)
def list_webhooks(query: dict[str, Any]) -> dict[str, Any]:
    """List who is told of changes of levels."""
    with reading() as session:
        return page_of(subscriptions.subscriptions(session), "webhooks", query)


@blueprint.post(ROOT)
@blueprint.arguments(SubscribeBody)
@blueprint.response(201, MadeSubscriptionSchema)
@blueprint.alt_response(200, schema=MadeSubscriptionSchema, description="The same subscription exists already.")
def subscribe(body: dict[str, Any]) -> Response:
    """Have an address told of changes of levels. A secret that the portal makes is in this answer and in no other."""
    with transaction() as session:
        made = subscriptions.subscribe(
            session,
            body["url"],
            body["filter"],
            body["events"],
            body["secret"],
            current_principal(),
            settings.current(),
            clock.now(),
        )
        told = {**SubscriptionSchema().dump(made.subscription), "secret": made.secret}
    return _told(told, 201 if made.is_new else 200)


@blueprint.get(ONE)
@blueprint.arguments(NoQuery, location="query")
@blueprint.response(200, SubscriptionSchema)
def get_webhook(_query: dict[str, Any], subscription_id: str) -> WebhookSubscription:
    """Read a subscription."""
    with reading() as session:
        return subscriptions.subscription(session, subscription_id)


@blueprint.patch(ONE)
@blueprint.arguments(WebhookChangeBody)
@blueprint.response(200, SubscriptionSchema)
def change_webhook(body: dict[str, Any], subscription_id: str) -> Response:
    """Pause a subscription, or let it go on."""
    with transaction() as session:
        changed = subscriptions.set_active(session, subscription_id, body["active"], current_principal())
        told = SubscriptionSchema().dump(changed)
    return _told(told, 200)


@blueprint.delete(ONE)
@blueprint.response(204)
def unsubscribe(subscription_id: str) -> None:
    """End a subscription and forget its messages; safe to repeat."""
    with transaction() as session:
        subscriptions.unsubscribe(session, subscription_id, current_principal())


@blueprint.post(f"{ONE}/ping")
@blueprint.arguments(PingBody)
@blueprint.response(200, DeliverySchema)
def ping(body: dict[str, Any], subscription_id: str) -> WebhookDelivery:
    """Send a test message now, once, and say how it went."""
    with transaction() as session:
        event_id = body["id"] or uuid.uuid4().hex
        sent = deliveries.enqueue_ping(session, subscription_id, event_id, current_principal(), clock.now())
    outbox.deliver_now(transaction, sent, settings.current(), clock.now)
    with reading() as session:
        return deliveries.delivery(session, subscription_id, sent)


@blueprint.get(f"{ONE}/deliveries")
@blueprint.arguments(DeliveryQuery, location="query")
@blueprint.response(200, DeliveryPageSchema)
def list_deliveries(query: dict[str, Any], subscription_id: str) -> Page[WebhookDelivery]:
    """List the messages of a subscription, the latest first, and how each went."""
    with reading() as session:
        return deliveries.deliveries(session, subscription_id, query["state"], query["cursor"], query["limit"])


@blueprint.post(f"{ONE}/deliveries/<string:delivery_id>/redeliver")
@blueprint.arguments(NoBody, required=False)
@blueprint.response(202, DeliverySchema)
def redeliver(_body: dict[str, Any], subscription_id: str, delivery_id: str) -> Response:
    """Put a message into the queue once more, under the same id."""
    with transaction() as session:
        again = deliveries.redeliver(session, subscription_id, delivery_id, current_principal(), clock.now())
        told = DeliverySchema().dump(again)
    return _told(told, 202)


def _told(document: Any, status: int) -> Response:
    """Answer with a document that was written while its transaction was open: after it the rows are stale."""
    response = plain_json(document)
    response.status_code = status
    return response
