"""The checklist of a review: opened from a template, extended for the service, answered by facts and by people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.services import services
from engagements import records
from engagements.lifecycle.models import Engagement
from engagements.records import Change
from engagements.reviews import engaged, templates
from engagements.reviews.answers import Given, Item, Line, lines
from engagements.reviews.models import Checklist, ChecklistAnswer, ChecklistItem, Finding
from engagements.reviews.settings import ReviewSettings
from engagements.reviews.words import Answer, FindingState, ItemSource
from portal_backend.core.errors import Conflict, Fault, InvalidInput, NotFound
from portal_backend.core.principal import Principal, Role
from scorecards import scorecard
from scorecards.judging import Judging

REVIEWERS = (Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER)
LAUNCHERS = (*REVIEWERS, Role.LAUNCH_COORDINATOR)


@dataclass(frozen=True)
class Sheet:
    """A checklist as it stands. `opened` is None while nobody opened it: then it shows what it would be."""

    engagement: Engagement
    template: str
    template_version: int
    template_digest: str
    opened: Checklist | None
    lines: list[Line]


@dataclass(frozen=True)
class NewItem:
    """An item that somebody wants on this service's checklist."""

    key: str
    axis: str
    question: str
    source: ItemSource
    source_ref: str = ""
    reason: str = ""
    guide: str = ""
    checks: tuple[str, ...] = ()


@dataclass(frozen=True)
class NewAnswer:
    """What somebody answers to an item; None takes a person's answer back."""

    item: str
    answer: Answer | None
    reason: str = ""
    evidence_url: str = ""


def read(session: Session, judging: Judging, settings: ReviewSettings, engagement: Engagement, now: datetime) -> Sheet:
    """Return the checklist of an engagement's present review with every answer."""
    opened = _opened(session, engagement)
    results = results_of(session, judging, engagement.entity_ref, now)
    if opened is not None:
        found = lines_of(session, engagement, results)
        return Sheet(engagement, opened.template, opened.template_version, opened.template_digest, opened, found)
    template = _template_of(settings, engagement)
    found = _lines(session, engagement, template.items, results)
    return Sheet(engagement, template.name, template.version, template.digest, None, found)


def lines_of(session: Session, engagement: Engagement, results: Mapping[str, Mapping[str, Any]]) -> list[Line]:
    """Return every item of the opened checklist with its answers; nothing while none is open."""
    opened = _opened(session, engagement)
    return _lines(session, engagement, opened.items, results) if opened else []


def _lines(
    session: Session,
    engagement: Engagement,
    written: Sequence[Mapping[str, Any]],
    results: Mapping[str, Mapping[str, Any]],
) -> list[Line]:
    items = [_item(item) for item in written]
    keys = {item.key for item in items}
    items += [_own_item(row) for row in own_items(session, engagement) if row.key not in keys]
    return lines(items, results, _given(session, engagement), _open_findings(session, engagement))


def results_of(session: Session, judging: Judging, ref: str, now: datetime) -> dict[str, Mapping[str, Any]]:
    """Return the verdicts on a service by check; none when it left the catalog."""
    try:
        document = scorecard.read(session, judging, ref, now)
    except NotFound:
        return {}
    return {result["check"]: result for result in document["results"]}


def open_checklist(
    session: Session, judging: Judging, settings: ReviewSettings, engagement: Engagement, principal: Principal,
    now: datetime,
) -> Checklist:  # fmt: skip
    """Open the checklist of the present review; one that is open stays. The template's items stay as they are now."""
    opened = _opened(session, engagement)
    if opened is not None:
        return opened
    records.require_role(principal, "open a checklist", *REVIEWERS)
    template = _template_of(settings, engagement)
    service = next(iter(services(session, judging.service_types, [engagement.entity_ref])), None)
    row = records.fresh(
        Checklist,
        records.identity(None, Checklist.__tablename__, engagement.id, engagement.review_round),
        engaged.place_of(engagement),
        template.digest,
        review_round=engagement.review_round,
        template=template.name,
        template_version=template.version,
        template_digest=template.digest,
        items=[dict(item) for item in template.items],
        dependencies=list(service.dependencies) if service else [],
    )
    summary = f"Checklist opened from {template.name} version {template.version}: {len(template.items)} items."
    records.write(session, [Change(row, "checklist.opened", summary)], principal, now)
    return row


def add_item(
    session: Session, settings: ReviewSettings, engagement: Engagement, new: NewItem, principal: Principal,
    now: datetime,
) -> ChecklistItem:  # fmt: skip
    """Add an item to this service's checklist; the same item twice is one.

    Raises InvalidInput when the source is to be named and is not, Conflict when the key means another item.
    """
    records.require_role(principal, "add to a checklist, which SRE owns", *REVIEWERS)
    if new.source is not ItemSource.EXPERT and not new.source_ref:
        raise InvalidInput(
            f"An item that comes from a {new.source} names it.", [Fault("source_ref", f"name the {new.source}")]
        )
    opened = _opened(session, engagement)
    taken = opened.items if opened else _template_of(settings, engagement).items
    if any(item["key"] == new.key for item in taken):
        raise Conflict(f"The template has an item {new.key} already.", [Fault("key", "choose another key")])
    place, request = engaged.place_of(engagement), records.digest(vars(new))
    item_id = records.identity(None, ChecklistItem.__tablename__, engagement.entity_ref, new.key)
    known = session.get(ChecklistItem, item_id)
    if known is not None:
        if known.request_digest == request:
            return known
        raise Conflict(f"This checklist has another item {new.key} already.", [Fault("key", "choose another key")])
    row = records.fresh(
        ChecklistItem, item_id, place, request,
        **{**vars(new), "source": new.source.value, "checks": list(new.checks)},
    )  # fmt: skip
    change = Change(row, "checklist.item_added", f"Checklist item added ({new.source}): {new.question}")
    records.write(session, [change], principal, now)
    return row


def answer(session: Session, sheet: Sheet, answers: Sequence[NewAnswer], principal: Principal, now: datetime) -> None:
    """Answer items of an open checklist; what is answered the same already stays.

    Raises InvalidInput that names every item that is not on the checklist, lacks its reason or comes twice.
    """
    records.require_role(principal, "answer a checklist, which SRE owns", *REVIEWERS)
    by_key = {line.item.key: line for line in sheet.lines}
    faults = [fault for i, new in enumerate(answers) for fault in _answer_faults(f"answers[{i}]", new, by_key)]
    faults += _repeated(answers)
    if faults:
        raise InvalidInput("None of these answers was taken; mend what is wrong and send all again.", faults)
    rows = _answer_rows(session, sheet.engagement)
    changes = [
        Change(_answered(rows, sheet.engagement, new, by_key[new.item]), "checklist.item_answered", _answer_words(new))
        for new in answers
        if not _says_already(by_key[new.item].given, new)
    ]
    records.write(session, changes, principal, now)


def unanswered(sheet: Sheet) -> tuple[str, ...]:
    """Return the items that nothing and nobody answered."""
    return tuple(line.item.key for line in sheet.lines if line.counts == "unanswered")


def own_items(session: Session, engagement: Engagement) -> list[ChecklistItem]:
    """Return the items that this service's checklist has beside the template's, whenever they were added."""
    query = select(ChecklistItem).where(ChecklistItem.entity_ref == engagement.entity_ref)
    return list(session.scalars(query.order_by(ChecklistItem.created_at, ChecklistItem.id)))


def _opened(session: Session, engagement: Engagement) -> Checklist | None:
    return session.scalar(
        select(Checklist).where(
            Checklist.engagement_id == engagement.id, Checklist.review_round == engagement.review_round
        )
    )


def _template_of(settings: ReviewSettings, engagement: Engagement) -> templates.Template:
    found = templates.load(settings.template_folder)
    return found.get(engagement.model) or found["simple_prr"]


def _item(written: Mapping[str, Any]) -> Item:
    return Item(
        written["key"], written["axis"], written["severity"], written["question"], written["guide"],
        tuple(written["checks"]), written["stage"],
    )  # fmt: skip


def _own_item(row: ChecklistItem) -> Item:
    return Item(
        row.key, row.axis, "major", row.question, row.guide, tuple(row.checks), None, row.source, row.source_ref,
        row.created_by,
    )  # fmt: skip


def _answer_rows(session: Session, engagement: Engagement) -> dict[str, ChecklistAnswer]:
    query = select(ChecklistAnswer).where(
        ChecklistAnswer.engagement_id == engagement.id, ChecklistAnswer.review_round == engagement.review_round
    )
    return {row.item: row for row in session.scalars(query)}


def _given(session: Session, engagement: Engagement) -> dict[str, Given]:
    return {
        key: Given(row.answer, row.reason, row.evidence_url, row.changed_by, row.changed_at, row.measured)
        for key, row in _answer_rows(session, engagement).items()
        if row.answer is not None
    }


def _open_findings(session: Session, engagement: Engagement) -> dict[str, str]:
    query = select(Finding.item, Finding.id).where(
        Finding.entity_ref == engagement.entity_ref, Finding.item.is_not(None), Finding.state == FindingState.OPEN
    )
    return {item: finding for item, finding in session.execute(query) if item is not None}


def _answer_faults(path: str, new: NewAnswer, by_key: Mapping[str, Line]) -> list[Fault]:
    line = by_key.get(new.item)
    if line is None:
        return [Fault(f"{path}.item", f"{new.item!r} is not on this checklist; GET …/checklist lists its items")]
    if new.answer is None:
        return []
    if new.answer is Answer.PASS and not (new.reason or new.evidence_url):
        return [Fault(f"{path}.evidence_url", "a pass names its evidence, or says in `reason` what was seen")]
    if new.answer is not Answer.PASS and not new.reason:
        return [Fault(f"{path}.reason", f"{new.answer} needs its reason")]
    measured = line.measured.verdict if line.measured else "unknown"
    if measured not in ("unknown", new.answer) and not new.reason:
        return [Fault(f"{path}.reason", f"the facts say {measured}; say why a person says {new.answer}")]
    return []


def _repeated(answers: Sequence[NewAnswer]) -> list[Fault]:
    seen: set[str] = set()
    faults = []
    for i, new in enumerate(answers):
        if new.item in seen:
            faults.append(Fault(f"answers[{i}].item", f"{new.item} is answered twice in this request"))
        seen.add(new.item)
    return faults


def _says_already(given: Given | None, new: NewAnswer) -> bool:
    if given is None:
        return new.answer is None
    return (given.answer, given.reason, given.evidence_url) == (new.answer, new.reason, new.evidence_url)


def _answered(
    rows: Mapping[str, ChecklistAnswer], engagement: Engagement, new: NewAnswer, line: Line
) -> ChecklistAnswer:
    row = rows.get(new.item) or records.fresh(
        ChecklistAnswer,
        records.identity(None, ChecklistAnswer.__tablename__, engagement.id, engagement.review_round, new.item),
        engaged.place_of(engagement),
        "",
        review_round=engagement.review_round,
        item=new.item,
    )
    row.answer = new.answer.value if new.answer else None
    row.reason, row.evidence_url = new.reason, new.evidence_url
    row.measured = line.measured.verdict if line.measured else "unknown"
    return row


def _answer_words(new: NewAnswer) -> str:
    if new.answer is None:
        return f"{new.item}: a person's answer was taken back."
    return f"{new.item}: {new.answer}" + (f", {new.reason}" if new.reason else ".")
