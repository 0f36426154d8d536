"""The catalog files of public repositories: each document's fate, checked by hand and against Backstage's own model."""

from catalog.format.documents import judge_documents
from catalog.models import CatalogFault, Entity
from tests.catalog.samples import bring_in
from tests.conftest import shared

DOCUMENTS, VALID = 198, 157
CNOE = "cnoe-io__stacks__ref-implementation-backstage-templates-entities-"
HGUERRERO = "hguerrero__kafka-selfservice-backstage__"
JANUS = "janus-idp__software-templates__"
NAME, DEFINITION, KIND = ("metadata.name",), ("spec.definition",), ("kind",)

INVALID = {
    ("AndraMaximE__kolibri-backstage-catalog__catalog-apis-swagger-api-catalog-info.yaml", 0): DEFINITION,
    ("PagerDuty__backstage-plugins__examples-template-content-catalog-info.yaml", 0): NAME,
    ("RoadieHQ__sample-service__catalog-info.yaml", 2): DEFINITION,
    ("RoadieHQ__sample-service__catalog-info.yaml", 3): DEFINITION,
    ("ahosgood__tna-backstage-config__catalog-info.yaml", 0): (
        "app", "organization", "backend", "integrations", "techdocs", "auth", "catalog", "kind", "metadata",
    ),
    ("b4mad__racing-manifests__catalog-systems-pitwall.yaml", 0): ("apiVersion",),
    **{("backstage__demo__examples-ai-resources.yaml", index): KIND for index in range(6)},
    ("benwilcock__backstage-catalogs__system-polyglot-demo-apps.yaml", 5): DEFINITION,
    **{
        (f"{CNOE}app-with-bucket-skeleton-catalog-info.yaml", n): NAME
        for n in range(3)
    },
    **{
        (f"{CNOE}argo-workflows-skeleton-catalog-info.yaml", n): NAME
        for n in range(2)
    },
    ("coopnorge__mage__internal-targets-cataloginfo-testdata-fail-validate-catalog-info.yaml", 0): (
        "metadata.name", "spec.owner",
    ),
    **{("dektlong__dekt-devx-demo__backstage-apis-brownfield-apis-catalog.yaml", n): DEFINITION for n in range(8)},
    ("giedri__backstage-catalog-sample__services-order-service-catalog-info.yaml", 1): DEFINITION,
    ("giedri__backstage-catalog-sample__template-skeleton-catalog-info.yaml", 0): (
        "metadata.name", "metadata.links[0].url", "metadata.links[1].url",
    ),
    ("giedri__backstage-catalog-sample__template-skeleton-catalog-info.yaml", 1): NAME + DEFINITION,
    ("giedri__backstage-catalog-sample__template-skeleton-catalog-info.yaml", 2): NAME,
    ("giedri__backstage-catalog-sample__template-skeleton-catalog-info.yaml", 3): NAME,
    ("harness-community__idp-samples__demo-prorto-api.yaml", 0): DEFINITION,
    (f"{HGUERRERO}backstage-templates-consume-kafka-topics-skeleton-catalog-info.yaml", 0): ("",),
    ("hguerrero__kafka-selfservice-backstage__catalog-apis-retail-banking-ny.yaml", 0): DEFINITION,
    ("ibm-messaging__mq-dev-patterns__Go-services-catalog-app.yaml", 0): NAME,
    (f"{JANUS}skeletons-catalog-info-catalog-info.yaml", 0): ("",),
    (f"{JANUS}templates-github-backstage-system-skeleton-systems-_values.systemName_.yaml", 0): NAME,
    ("patterninc__caterpillar__backstage.yaml", 0): ("spec.lifecycle", "spec.owner"),
    (
        "redhat-developer__red-hat-developer-hub-software-templates__templates-github-backstage-system-skeleton-systems.yaml",
        0,
    ): NAME,
    ("test-jhandy1-org__test-app-asyncapi__.backstage-asyncapi-catalog-info.yaml", 0): DEFINITION,
}  # fmt: skip


def test_every_document_of_the_corpus_meets_its_fate():
    found = {
        (path.name, document.index): tuple(fault.path for fault in document.faults)
        for path in sorted(shared("corpus", "catalog").glob("*.y*ml"))
        for document in judge_documents(path.read_bytes())
    }
    assert {place: faults for place, faults in found.items() if faults} == INVALID
    assert (len(found), len(found) - len(INVALID)) == (DOCUMENTS, VALID)


def test_the_whole_corpus_can_be_added(session):
    report = bring_in(session, shared("corpus", "catalog"))
    seen: dict[str, tuple[str, int]] = {}
    repeated = 0
    for path in sorted(shared("corpus", "catalog").glob("*.y*ml")):
        for document in judge_documents(path.read_bytes()):
            if document.entity is None:
                continue
            if document.ref in seen:
                repeated += 1
            seen.setdefault(document.ref, (str(path), document.index))
    stored = {entity.ref: (entity.file, entity.document) for entity in session.query(Entity)}
    assert seen.items() <= stored.items()
    assert report.added == len(seen) == len(stored) - 1
    conflicts = [fault for fault in report.faults if "already supplied" in fault.message]
    assert len(conflicts) == repeated == VALID - len(seen)
    kept = {(fault.file.rpartition("/")[2], fault.document) for fault in session.query(CatalogFault)}
    assert INVALID.keys() <= kept


def test_adding_the_corpus_again_changes_nothing(session):
    bring_in(session, shared("corpus", "catalog"))
    etags = {entity.ref: entity.etag for entity in session.query(Entity)}
    report = bring_in(session, shared("corpus", "catalog"))
    session.expire_all()
    assert (report.added, report.changed, report.removed, report.changed_refs) == (0, 0, 0, frozenset())
    assert {entity.ref: entity.etag for entity in session.query(Entity)} == etags
