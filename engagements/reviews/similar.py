"""What the reviews of similar services teach this one: their own items, and the defects that were found there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.services import PREFIX, Service, services
from engagements.lifecycle.models import Engagement
from engagements.reviews.models import ChecklistItem, Finding
from portal_backend.core.db import chunks
from scorecards.judging import Judging

FRAMEWORK = f"{PREFIX}framework"
NEAREST = 20
MOST = 50


@dataclass(frozen=True)
class Suggestion:
    """An item that this service's checklist might have, and why."""

    item: Mapping[str, Any]
    because: str
    service: str
    similarity: int


def traits(service: Service) -> frozenset[str]:
    """Return what a service has in common with others: framework, system, owner, tags, dependencies. Pure."""
    found = {f"tag {tag}" for tag in service.tags} | {f"dependency {ref}" for ref in service.dependencies}
    if service.annotations.get(FRAMEWORK):
        found.add(f"framework {service.annotations[FRAMEWORK]}")
    found |= {f"{kind} {value}" for kind, value in (("system", service.system), ("owner", service.owner)) if value}
    return frozenset(found)


def nearest(subject: Service, others: Iterable[Service]) -> dict[str, frozenset[str]]:
    """Return the most similar services with the traits that they share with the subject, the nearest first. Pure."""
    own = traits(subject)
    shared = {other.ref: own & traits(other) for other in others if other.ref != subject.ref}
    ranked = sorted((ref for ref, common in shared.items() if common), key=lambda ref: (-len(shared[ref]), ref))
    return {ref: shared[ref] for ref in ranked[:NEAREST]}


def suggestions(session: Session, judging: Judging, engagement: Engagement, present: Sequence[str]) -> list[Suggestion]:
    """Return items that similar services give reason to ask about and that the checklist does not have yet."""
    found = services(session, judging.service_types)
    subject = next((service for service in found if service.ref == engagement.entity_ref), None)
    if subject is None:
        return []
    near = nearest(subject, found)
    offered = [*_from_items(session, near), *_from_findings(session, near)]
    offered.sort(key=lambda each: (-each.similarity, each.service, str(each.item["key"])))
    taken, unique = set(present), []
    for each in offered:
        if each.item["key"] not in taken:
            taken.add(each.item["key"])
            unique.append(each)
    return unique[:MOST]


def _from_items(session: Session, near: Mapping[str, frozenset[str]]) -> Iterable[Suggestion]:
    for chunk in chunks(near):
        for row in session.scalars(select(ChecklistItem).where(ChecklistItem.entity_ref.in_(chunk))):
            item = {
                "key": row.key,
                "axis": row.axis,
                "question": row.question,
                "guide": row.guide,
                "checks": row.checks,
                "source": "similar_service",
                "source_ref": row.entity_ref,
            }
            yield Suggestion(item, _because(row.entity_ref, near, "asks it"), row.entity_ref, len(near[row.entity_ref]))


def _from_findings(session: Session, near: Mapping[str, frozenset[str]]) -> Iterable[Suggestion]:
    for chunk in chunks(near):
        query = select(Finding).where(
            Finding.entity_ref.in_(chunk), Finding.pattern.is_not(None), Finding.check_id.is_(None)
        )
        for row in session.scalars(query):
            item = {
                "key": f"pattern.{row.pattern}"[:80],
                "axis": row.axis,
                "question": f"Is the service safe from this: {row.title}"[:500],
                "guide": "",
                "checks": [],
                "source": "similar_service",
                "source_ref": row.entity_ref,
            }
            because = _because(row.entity_ref, near, f"had the finding {row.title!r}")
            yield Suggestion(item, because, row.entity_ref, len(near[row.entity_ref]))


def _because(ref: str, near: Mapping[str, frozenset[str]], what: str) -> str:
    return f"{ref} {what}; it shares {', '.join(sorted(near[ref]))}."
