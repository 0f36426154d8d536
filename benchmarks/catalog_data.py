"""Catalog files of a company of any size: the same numbers always give the same files.

The proportions are those of `10,000 components = 19,583 entities`: half as many APIs, a quarter as many resources,
1,500 users in 333 groups, 200 systems in 50 domains. Ten components stand in one file, with the APIs that they provide
and the resources that they need: about 17 documents, as a repository of several services has them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

COMPONENTS_IN_FILE = 10
DOCUMENTS_IN_FILE = 100
"""Of the files of people, teams, systems and domains."""
CHANGED_EVERY = 100
"""Components that lie so far apart differ from one edition to the next: 1 %."""

SUBJECTS = [
    "account",
    "address",
    "alert",
    "asset",
    "audit",
    "auth",
    "backup",
    "basket",
    "billing",
    "booking",
    "cache",
    "campaign",
    "card",
    "cart",
    "catalog",
    "checkout",
    "claim",
    "contact",
    "content",
    "contract",
    "coupon",
    "currency",
    "customer",
    "delivery",
    "device",
    "discount",
    "document",
    "email",
    "event",
    "export",
    "feature",
    "feed",
    "fraud",
    "gateway",
    "geo",
    "identity",
    "import",
    "index",
    "inventory",
    "invoice",
    "ledger",
    "loyalty",
    "mail",
    "media",
    "menu",
    "message",
    "notice",
    "offer",
    "order",
    "parcel",
    "partner",
    "payment",
    "price",
    "product",
    "profile",
    "quote",
    "rating",
    "refund",
    "report",
    "ticket",
]
"""Sixty: a search for `pay` finds one component in sixty."""
ROLES = ["api", "worker", "gateway", "sync", "store", "scheduler", "frontend", "adapter", "proxy", "batch"]
TYPES = ("service", "service", "service", "website", "library", "Service")
LIFECYCLES = ("production", "production", "production", "experimental", "deprecated")
TAGS = [
    "java",
    "go",
    "python",
    "rust",
    "kotlin",
    "typescript",
    "grpc",
    "rest",
    "kafka",
    "postgres",
    "redis",
    "batch",
    "internal",
    "public",
    "pci",
    "gdpr",
    "critical",
    "legacy",
    "edge",
    "mobile",
]


@dataclass(frozen=True)
class Size:
    """How many entities of each kind there are."""

    components: int

    @property
    def apis(self) -> int:
        """Half of the components provide one."""
        return max(1, self.components // 2)

    @property
    def resources(self) -> int:
        """One for four components."""
        return max(1, self.components // 4)

    @property
    def users(self) -> int:
        """1,500 for 10,000 components."""
        return max(1, self.components * 15 // 100)

    @property
    def groups(self) -> int:
        """333 for 10,000 components."""
        return max(1, self.components * 333 // 10_000)

    @property
    def systems(self) -> int:
        """200 for 10,000 components."""
        return max(1, self.components // 50)

    @property
    def domains(self) -> int:
        """50 for 10,000 components."""
        return max(1, self.components // 200)

    @property
    def entities(self) -> int:
        """Of all kinds, without the Location entity that ingestion adds for a registered location."""
        company = self.users + self.groups + self.systems + self.domains
        return self.components + self.apis + self.resources + company


def write_catalog(folder: Path, components: int, edition: int = 0) -> int:
    """Write the files below a folder; return how many entities they hold.

    A later `edition` differs in the description and the owner of every hundredth component, and in nothing else.
    """
    size = Size(components)
    folder.mkdir(parents=True, exist_ok=True)
    for name, documents in files(size, edition):
        (folder / name).write_text("".join(documents), encoding="utf-8")
    return size.entities


def files(size: Size, edition: int = 0) -> Iterator[tuple[str, list[str]]]:
    """Yield each file's name and its documents."""
    for number, start in enumerate(range(0, size.components, COMPONENTS_IN_FILE)):
        numbers = range(start, min(start + COMPONENTS_IN_FILE, size.components))
        yield f"services-{number:06}.yaml", list(_repository(size, numbers, edition))
    company = (("groups", _group, size.groups), ("users", _user, size.users), ("systems", _system, size.systems))
    for word, write, count in (*company, ("domains", _domain, size.domains)):
        for number, start in enumerate(range(0, count, DOCUMENTS_IN_FILE)):
            numbers = range(start, min(start + DOCUMENTS_IN_FILE, count))
            yield f"{word}-{number:04}.yaml", [write(size, each) for each in numbers]


def component_name(number: int) -> str:
    """Return the name of a component, `payment-worker-000057`."""
    return f"{SUBJECTS[number % len(SUBJECTS)]}-{ROLES[number // len(SUBJECTS) % len(ROLES)]}-{number:06}"


def _repository(size: Size, numbers: Iterable[int], edition: int) -> Iterator[str]:
    for number in numbers:
        yield _component(size, number, edition)
        if number % 2 == 0 and number // 2 < size.apis:
            yield _api(size, number // 2)
        if number % 4 == 0 and number // 4 < size.resources:
            yield _resource(size, number // 4)


def _component(size: Size, number: int, edition: int) -> str:
    chance = Random(number)
    name = component_name(number)
    changed = edition if number % CHANGED_EVERY == 0 else 0
    owner = _group_name((number + changed) % size.groups)
    tags = chance.sample(TAGS, 2 + number % 2)
    depends = [f"component:{component_name(chance.randrange(size.components))}" for _ in range(number % 2)]
    depends.append(f"resource:{_resource_name(chance.randrange(size.resources))}")
    consumes = [_api_name(chance.randrange(size.apis)) for _ in range(2)]
    provides = f"\n  providesApis: [{_api_name(number // 2)}]" if number % 2 == 0 and number // 2 < size.apis else ""
    return f"""---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: {name}
  title: {name.replace("-", " ").title()}
  description: >-
    Takes care of what the company knows as {SUBJECTS[number % len(SUBJECTS)]}, number {number} in edition {changed}.
    It answers the requests of other services and keeps its own data; the team is told when it does not.
  labels: {{tier: t{number % 4}, region: region-{number % 7}}}
  annotations:
    github.com/project-slug: example/{name}
    backstage.io/techdocs-ref: dir:.
    prometheus.io/rule: 'sum(rate(http_requests_total{{job="{name}"}}[5m]))|total'
    pagerduty.com/service-id: P{number:07}
    sre.portal/criticality: T{number % 4}
  tags: [{", ".join(tags)}]
  links:
    - {{url: 'https://dashboards.example.com/d/{name}', title: Dashboard, icon: dashboard}}
    - {{url: 'https://runbooks.example.com/{name}', title: Runbook, icon: docs}}
spec:
  type: {TYPES[number % len(TYPES)]}
  lifecycle: {LIFECYCLES[number % len(LIFECYCLES)]}
  owner: {owner}
  system: {_system_name(number % size.systems)}
  dependsOn: [{", ".join(depends)}]
  consumesApis: [{", ".join(consumes)}]{provides}
"""


def _api(size: Size, number: int) -> str:
    name = _api_name(number)
    paths = "".join(
        f"""
      /{SUBJECTS[(number + step) % len(SUBJECTS)]}/{{id}}:
        get:
          summary: Read one by its number, as the version {step} of this interface shows it
          responses: {{'200': {{description: found}}, '404': {{description: there is none}}}}"""
        for step in range(3)
    )
    return f"""---
apiVersion: backstage.io/v1alpha1
kind: API
metadata:
  name: {name}
  description: The interface number {number}, for whoever is allowed to ask
  tags: [rest]
spec:
  type: openapi
  lifecycle: {LIFECYCLES[number % len(LIFECYCLES)]}
  owner: {_group_name(number * 2 % size.groups)}
  system: {_system_name(number * 2 % size.systems)}
  definition: |
    openapi: 3.0.0
    info: {{title: {name}, version: 1.0.{number % 10}}}
    paths:{paths}
"""


def _resource(size: Size, number: int) -> str:
    return f"""---
apiVersion: backstage.io/v1alpha1
kind: Resource
metadata:
  name: {_resource_name(number)}
  description: A database that some services keep their data in
spec:
  type: {("database", "s3-bucket", "queue")[number % 3]}
  owner: {_group_name(number * 4 % size.groups)}
  system: {_system_name(number * 4 % size.systems)}
"""


def _group(size: Size, number: int) -> str:
    parent = f"\n  parent: {_group_name(number // 10)}" if number else ""
    return f"""---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata:
  name: {_group_name(number)}
  description: The people who look after their part of {size.components} components
spec:
  type: team
  profile: {{displayName: Team {number}, email: team-{number}@example.com}}
  children: []{parent}
"""


def _user(size: Size, number: int) -> str:
    return f"""---
apiVersion: backstage.io/v1alpha1
kind: User
metadata:
  name: user-{number:05}
spec:
  profile: {{displayName: Person {number}, email: person-{number}@example.com}}
  memberOf: [{_group_name(number % size.groups)}, {_group_name(number * 7 % size.groups)}]
"""


def _system(size: Size, number: int) -> str:
    return f"""---
apiVersion: backstage.io/v1alpha1
kind: System
metadata:
  name: {_system_name(number)}
  description: Components that together do one thing
spec:
  owner: {_group_name(number % size.groups)}
  domain: {_domain_name(number % size.domains)}
"""


def _domain(size: Size, number: int) -> str:
    return f"""---
apiVersion: backstage.io/v1alpha1
kind: Domain
metadata:
  name: {_domain_name(number)}
spec:
  owner: {_group_name(number % size.groups)}
"""


def _api_name(number: int) -> str:
    return f"{SUBJECTS[number % len(SUBJECTS)]}-interface-{number:06}"


def _resource_name(number: int) -> str:
    return f"store-{number:06}"


def _group_name(number: int) -> str:
    return f"team-{number:05}"


def _system_name(number: int) -> str:
    return f"system-{number:05}"


def _domain_name(number: int) -> str:
    return f"domain-{number:05}"
