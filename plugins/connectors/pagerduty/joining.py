"""Which of PagerDuty's services each of ours is, by its id or by the key of an integration. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plugins.connectors.pagerduty.api import Entry
from plugins.contract import PullFault, Target

SERVICE_ID = "pagerduty.com/service-id"
INTEGRATION_KEY = "pagerduty.com/integration-key"


@dataclass(frozen=True)
class Joined:
    """Which of PagerDuty's services each of ours is."""

    services: Mapping[str, Entry]
    faults: Sequence[PullFault]
    unmatched: Sequence[str]


def join(targets: Sequence[Target], services: Sequence[Entry]) -> Joined:
    """Find each service that names one; a name that the key does not see is a fault."""
    by_id = {service["id"]: service for service in services if service.get("id")}
    by_key = {
        integration["integration_key"]: service
        for service in by_id.values()
        for integration in service.get("integrations") or []
        if isinstance(integration, dict) and integration.get("integration_key")
    }
    found: dict[str, Entry] = {}
    faults: list[PullFault] = []
    for target in claiming(targets):
        wanted = target.annotations.get(SERVICE_ID, "").strip()
        service = by_id.get(wanted) if wanted else by_key.get(target.annotations[INTEGRATION_KEY].strip())
        if service is not None:
            found[target.ref] = service
        elif wanted:
            faults.append(PullFault(target.ref, f"{SERVICE_ID} names {wanted}, which the key sees nowhere"))
        else:
            faults.append(PullFault(target.ref, f"no integration carries the key that {INTEGRATION_KEY} holds"))
    claimed = {service["id"] for service in found.values()}
    unmatched = sorted(str(service.get("name") or key) for key, service in by_id.items() if key not in claimed)
    return Joined(found, faults, unmatched)


def claiming(targets: Sequence[Target]) -> list[Target]:
    """Return the services that name one of PagerDuty's at all."""
    return [
        target
        for target in targets
        if target.annotations.get(SERVICE_ID, "").strip() or target.annotations.get(INTEGRATION_KEY, "").strip()
    ]
