"""Vulnerable dependencies, as Dependabot reports them: two lists for each organisation, none for a repository."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from plugins.connectors.github.api import HEADERS, PAGE, Entry, limits_told
from plugins.contract import Batch, Fact, FailureKind, PullContext, PullFailed, PullFault
from plugins.http_client import SourceClient
from plugins.moments import moment
from plugins.parts import part
from plugins.repositories import OLD, VULNERABLE


def read(context: PullContext, by_slug: Mapping[str, Sequence[str]]) -> Iterator[Batch]:
    """Yield, for each organisation, how many critical vulnerabilities are older than 30 days in each repository.

    Nothing is told of a repository that Dependabot does not watch: without an alert it is as quiet as a sound one.
    """
    for organisation in sorted({slug.partition("/")[0] for slug in by_slug}):
        faults: list[PullFault] = []
        counts = part(f"vulnerabilities of {organisation}", partial(_counts, context, organisation), faults)
        own = {slug: refs for slug, refs in by_slug.items() if slug.partition("/")[0] == organisation}
        facts = [
            Fact(ref, VULNERABLE.key, (counts or {})[slug.lower()], context.now)
            for slug, refs in own.items()
            if slug.lower() in (counts or {})
            for ref in refs
        ]
        yield Batch(facts=facts, faults=faults)


def _counts(context: PullContext, organisation: str) -> dict[str, int]:
    """Return the counts of the repositories that are watched, by their names in lower case."""
    repositories = _listed(context.client, f"{_path(organisation)}/repos")
    found = {_name(one): 0 for one in repositories if _is_watched(one)}
    for alert in _alerts(context.client, organisation):
        name = _name(alert.get("repository") or {})
        found[name] = found.get(name, 0) + _is_old_and_critical(alert, context.now)
    return found


def may_list(client: SourceClient, slug: str) -> None:
    """Raise PullFailed where the token may not see the alerts of a repository's organisation."""
    next(_alerts(client, slug.partition("/")[0]), None)


def _alerts(client: SourceClient, organisation: str) -> Iterator[Entry]:
    return _listed(client, f"{_path(organisation)}/dependabot/alerts", state="open")


def _path(organisation: str) -> str:
    return f"orgs/{quote(organisation, safe='')}"


def _listed(client: SourceClient, path: str, **params: str) -> Iterator[Entry]:
    with limits_told():
        for answer in client.get_pages(path, {**params, "per_page": str(PAGE)}, HEADERS):
            if not isinstance(answer, list):
                raise PullFailed(FailureKind.BAD_ANSWER, f"{path} answered no list")
            yield from (entry for entry in answer if isinstance(entry, dict))


def _name(repository: Mapping[str, Any]) -> str:
    return str(repository.get("full_name") or "").lower()


def _is_watched(repository: Entry) -> bool:
    """Dependabot's security updates need its alerts; GitHub shows this to those who administer the repository."""
    updates = (repository.get("security_and_analysis") or {}).get("dependabot_security_updates") or {}
    return updates.get("status") == "enabled"


def _is_old_and_critical(alert: Entry, now: datetime) -> bool:
    severity = (alert.get("security_vulnerability") or alert.get("security_advisory") or {}).get("severity")
    created = moment(alert.get("created_at"))
    return severity == "critical" and created is not None and created < now - OLD
