"""The rules of the envelope and of each kind; the expectations were taken from @backstage/catalog-model 1.10.1."""

import pytest

from catalog.format.documents import MAX_FAULTS, judge_documents
from catalog.format.urls import is_absolute_url
from tests.catalog.samples import component


def paths(text: str) -> list[str]:
    (document,) = judge_documents(text.encode())
    assert (document.entity is None) is bool(document.faults)
    return [fault.path for fault in document.faults]


def entity(kind: str, spec: str | None, version: str = "backstage.io/v1alpha1") -> str:
    head = f"apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: a\n"
    return head if spec is None else f"{head}spec: {spec}\n"


def test_a_good_component_has_no_faults_and_gets_the_default_namespace():
    (document,) = judge_documents(component("Checkout").encode())
    assert document.faults == ()
    assert document.ref == "component:default/checkout"
    assert document.entity["metadata"] == {"name": "Checkout", "namespace": "default"}


@pytest.mark.parametrize("text", ["- a\n", "text\n", "5\n", "true\n"])
def test_a_document_must_be_a_mapping(text):
    assert paths(text) == [""]


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("a", True), ("A.b_c-d", True), ("x" * 63, True), ("'123'", True), ("2020-01-01", True), ("on", True),
        ("x" * 64, False), ("123", False), ("1e3", False), ("true", False), ("~", False), ("", False), ("''", False),
        ("-a", False), ("a-", False), ("a b", False), ("Ä", False), ('"a\\n"', False), ("[a]", False),
        ("{{ x }}", False), ("${{ values.name }}", False),
    ],
)  # fmt: skip
def test_names(name, good):
    assert paths(component(name)) == ([] if good else ["metadata.name"])


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ("namespace: a--b", []),
        ("namespace: Foo", ["metadata.namespace"]),
        ("namespace: ''", ["metadata.namespace"]),
        ("namespace:", ["metadata.namespace"]),
        ("namespace: a.b", ["metadata.namespace"]),
        ("title: ''", ["metadata.title"]),
        ("title:", ["metadata.title"]),
        ("title: ' '", []),
        ("description: ''", []),
        ("description:", ["metadata.description"]),
        ("description: 5", ["metadata.description"]),
        ("labels:", ["metadata.labels"]),
        ("labels: {a: ''}", []),
        ("labels: {a: x y}", ["metadata.labels.a"]),
        ("labels: {a: 1}", ["metadata.labels.a"]),
        ("labels: {a b: x}", ["metadata.labels.a b"]),
        ("annotations: {}", []),
        ("annotations: [a]", ["metadata.annotations"]),
        ("annotations: {a/b: '', foo.com/x: any thing}", []),
        ("annotations: {Foo.com/x: y}", ["metadata.annotations.Foo.com/x"]),
        ("annotations: {foo.com/: y}", ["metadata.annotations.foo.com/"]),
        ("annotations: {a/b/c: y}", ["metadata.annotations.a/b/c"]),
        ("annotations: {a: 1, b: true, c: }", [f"metadata.annotations.{key}" for key in "abc"]),
        ("annotations: {a: x, A: y}", ["metadata.annotations.A"]),
        ("tags: []", []),
        ("tags:", ["metadata.tags"]),
        ("tags: a", ["metadata.tags"]),
        ("tags: ['a:b', c+d, e#f, a-b]", []),
        ("tags: [ok, Java, a_b, a--b, 1, '']", [f"metadata.tags[{index}]" for index in range(1, 6)]),
        (f"tags: [{'a' * 63}, {'a' * 64}]", ["metadata.tags[1]"]),
        ("links: [{url: http://a, title: x}]", []),
        ("links: [{}]", ["metadata.links[0].url"]),
        ("links: [~]", ["metadata.links[0]"]),
        ("links: [{url: /a}]", ["metadata.links[0].url"]),
        ("links: [{url: http://a, title: ''}]", ["metadata.links[0].title"]),
        ("links: [{url: http://a, icon: ' '}]", ["metadata.links[0].icon"]),
        ("links: [{url: http://a, type: ' '}]", []),
        ("links: {url: http://a}", ["metadata.links"]),
        ("anything: {else: [1]}", []),
    ],
)  # fmt: skip
def test_metadata(metadata, expected):
    assert paths(component("a", metadata=f"  {metadata}\n")) == expected


@pytest.mark.parametrize(
    ("extra", "expected"),
    [("relations: []", ["relations"]), ("status: {}", ["status"]), ("x: 1\ny: 2", ["x", "y"]), ("Spec: {}", ["Spec"])],
)
def test_only_four_fields_stand_at_the_root(extra, expected):
    assert paths(component("a") + extra + "\n") == expected


@pytest.mark.parametrize(
    ("version", "kind", "expected"),
    [
        ("backstage.io/v1beta1", "Component", []),
        ("backstage.io/v1beta2", "Component", ["apiVersion"]),
        ("v1", "Component", ["apiVersion"]),
        ("''", "Component", ["apiVersion"]),
        ("a/b/c", "Component", ["apiVersion"]),
        ("1.5", "Component", ["apiVersion"]),
        ("backstage.io/v1alpha1", "component", ["kind"]),
        ("backstage.io/v1alpha1", "AiResource", ["kind"]),
        ("backstage.io/v1alpha1", "Template", ["apiVersion"]),
        ("scaffolder.backstage.io/v1beta2", "Template", ["apiVersion"]),
        ("backstage.io/v1alpha1", "My-Kind", ["kind"]),
        ("backstage.io/v1alpha1", "5", ["kind"]),
        ("scaffolder.backstage.io/v1beta3", "Template", ["spec.steps"]),
        ("scaffolder.backstage.io/v1beta3", "Component", ["apiVersion"]),
    ],
)
def test_kinds_and_versions(version, kind, expected):
    assert paths(entity(kind, "{type: t, lifecycle: l, owner: o}", version)) == expected


def test_an_unknown_kind_says_so_in_backstages_words():
    (document,) = judge_documents(entity("Foo", "{}").encode())
    assert document.faults[0].message.startswith("No processor recognized the entity")


@pytest.mark.parametrize(
    ("kind", "spec", "expected"),
    [
        ("Component", None, ["spec"]),
        ("Component", "", ["spec"]),
        ("Component", "[]", ["spec"]),
        ("Component", "{}", ["spec.type", "spec.lifecycle", "spec.owner"]),
        ("Component", "{type: 1, lifecycle: true, owner: ~}", ["spec.type", "spec.lifecycle", "spec.owner"]),
        ("Component", "{type: t, lifecycle: l, owner: o, unknown: {a: 1}}", []),
        ("Component", "{type: t, lifecycle: l, owner: o, Owner: p}", ["spec.Owner"]),
        ("API", "{type: t, lifecycle: l, owner: o}", ["spec.definition"]),
        ("API", "{type: t, lifecycle: l, owner: o, definition: ''}", ["spec.definition"]),
        ("API", "{type: t, lifecycle: l, owner: o, definition: {$text: ./x}}", ["spec.definition"]),
        ("API", "{type: t, lifecycle: l, owner: o, definition: x}", []),
        ("Resource", "{owner: o}", ["spec.type"]),
        ("Resource", "{type: t, owner: o, lifecycle: 5}", []),
        ("System", "{}", ["spec.owner"]),
        ("System", "{owner: o, type: ''}", ["spec.type"]),
        ("Domain", "{owner: [o]}", ["spec.owner"]),
        ("Domain", "{owner: o, subdomainOf: d}", []),
        ("Group", "{type: t}", ["spec.children"]),
        ("Group", "{type: t, children: ~}", ["spec.children"]),
        ("Group", "{type: t, children: [], profile: {email: ''}}", ["spec.profile.email"]),
        ("Group", "{type: t, children: [], profile: ~}", ["spec.profile"]),
        ("Group", "{type: t, children: [a], parent: b, members: [c]}", []),
        ("User", "{}", ["spec.memberOf"]),
        ("User", "{memberOf: []}", []),
        ("Location", None, ["spec"]),
        ("Location", "{}", []),
        ("Location", "{targets: [x, '']}", ["spec.targets[1]"]),
        ("Location", "{target: x, presence: maybe}", ["spec.presence"]),
    ],
)  # fmt: skip
def test_each_kinds_fields(kind, spec, expected):
    assert paths(entity(kind, spec)) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("system: a:b/c/d", []),
        ("system: a/", ["spec.system"]),
        ("system: ':a'", ["spec.system"]),
        ("system: 'a:'", ["spec.system"]),
        ("system: a/b:c", []),
        ("system: john@example.com", []),
        ("dependsOn: [component:a, b, 'resource:', ~, c/d]", [f"spec.dependsOn[{index}]" for index in (1, 2, 3, 4)]),
        ("dependsOn: component:a", ["spec.dependsOn"]),
        ("dependencyOf: [x]", ["spec.dependencyOf[0]"]),
        ("providesApis: [a, b/c, 'd:e/f']", []),
        (f"dependsOn: ['component:{'x' * 3000}']", ["spec.dependsOn[0]"]),
        ("z: [{A: 1}, {a: 2}]", ["spec.z.a"]),
    ],
)
def test_references(spec, expected):
    assert paths(component("a", spec=f"  {spec}\n")) == expected


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("http://a", True), ("http:a", True), ("https:/a", True), ("mailto:a@b", True), ("slack://x", True),
        ("x.com:80/a", True), ("file:a", True), ("http://[::1]", True), ("http://u:p@h:80/x", True),
        (" http://a ", True),
        ("http://a/%zz", True), ("http://a..b", True), ("http://ä.com", True), ("https://${x}.a", True),
        ("http://1.2.3", True), ("http://a:", True), ("urn:x", True), ("x://", True),
        ("http://", False), ("www.x.com", False), ("/a", False), ("//a", False), ("", False), ("#a", False),
        ("http://a b", False), ("http://a:99999", False), ("http://a:x", False), ("http://[zz]", False),
        ("https://${{ x }}.a", False), ("http://%zz", False), ("slack://x y", False), ("http://1.2.3.999", False),
        ("http://:80", False), ("1http://a", False), ("http://a<b", False), ("http://a|b", False), ("a_b://c", False),
    ],
)  # fmt: skip
def test_urls_are_judged_as_browsers_do(url, good):
    assert is_absolute_url(url) is good


def test_the_reference_of_a_faulty_document_is_told_where_it_can_be():
    (document,) = judge_documents(b"kind: Component\nmetadata: {name: A, namespace: x}\n")
    assert document.ref == "component:x/a"
    (document,) = judge_documents(b"kind: Component\nmetadata: {name: 5}\n")
    assert document.ref is None


def test_the_faults_of_one_document_are_bounded():
    (document,) = judge_documents(component("a", metadata=f"  tags: {['A'] * 1000}\n").encode())
    assert len(document.faults) == MAX_FAULTS + 1
    assert "950 more" in document.faults[-1].message


def test_filling_in_the_namespace_leaves_an_aliased_mapping_alone():
    text = component("a").replace("metadata:", "metadata: &m").replace("spec:", "spec:\n  copy: *m")
    (document,) = judge_documents(text.encode())
    assert document.entity["spec"]["copy"] == {"name": "a"}


def test_json_is_yaml():
    version, metadata = '"apiVersion": "backstage.io/v1alpha1"', '"metadata": {"name": "a"}'
    assert paths(f'{{{version}, "kind": "System", {metadata}, "spec": {{"owner": "b"}}}}') == []
