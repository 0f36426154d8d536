"""Documents whose verdict is easy to get wrong.

The expectations were measured with Backstage's own code: @backstage/plugin-catalog-backend 4.0.0 (its orchestrator with
its processors for placeholders, kinds and annotations, and its search index), @backstage/plugin-catalog-node 2.2.5,
@backstage/catalog-model 1.10.1, @backstage/plugin-catalog-backend-module-scaffolder-entity-model 0.2.24,
@backstage/plugin-scaffolder-common 2.3.0 and yaml 2.9.1.
"""

import pytest

from catalog.format.documents import judge_documents
from catalog.format.relations import declared
from catalog.format.relations import edges as edges_of
from tests.catalog.samples import component

OWN = "backstage.io/managed-by-location"
TEMPLATE = "apiVersion: scaffolder.backstage.io/v1beta3\nkind: Template\nmetadata: {name: a}\n"


def verdicts(content: str | bytes) -> list[bool]:
    data = content if isinstance(content, bytes) else content.encode()
    return [document.entity is not None for document in judge_documents(data)]


def only(content: str | bytes):
    (document,) = judge_documents(content if isinstance(content, bytes) else content.encode())
    return document


@pytest.mark.parametrize(
    ("metadata", "good"),
    [
        ("annotations:", True), ("annotations: ''", True), ("annotations: 0", True), ("annotations: false", True),
        ("annotations: []", False), ("annotations: true", False), ("annotations: x", False),
        (f"annotations: {{{OWN}: 5}}", True), (f"annotations: {{{OWN.title()}: x}}", False),
        ("annotations: {backstage.io/Managed-By-Location: x}", False),
        ("annotations: {backstage.io/view-url: 5}", False),
        ("Name: b", False), ("Namespace: b", False), ("UID: b", False), ("uid: b", True), ("Etag: b", True),
        ("x: [A, {a: 1}]", False), ("x: [A, {b: 1}, a]", True), ("x: {a: [], A: 1}", True),
        ("x: {a: [1], A: 1}", False),
        ("x: {a: ~, A: ~}", False), ("x: {a: [b], A: [B]}", False), ("tags: [a, a]", True),
        ('links: [{url: http://x, title: "\\uFEFF"}]', False), ('links: [{url: http://x, title: "\\x1c"}]', True),
        ('links: [{url: http://x, title: "\\x85"}]', True), ('links: [{url: http://x, icon: "\\u00a0"}]', False),
        ("x: {$text: ./x}", False), ("x: [{$json: ./x}]", False), ("x: {$yaml: 5}", False),
        ("x: {$text: ./x, b: c}", True), ("x: {$ref: ./x}", True), ("x: {$ref: ./x, a: {$text: ./x}}", True),
    ],
)  # fmt: skip
def test_metadata(metadata, good):
    assert verdicts(component("a", metadata=f"  {metadata}\n")) == [good]


@pytest.mark.parametrize(
    ("spec", "good"),
    [
        (None, False), ("{}", False), ("{type: t}", False), ("{steps: []}", False), ("{type: t, steps: []}", True),
        ("{type: t, steps: ~}", False), ("{type: t, steps: {}}", False), ("{type: '', steps: []}", False),
        ("{type: t, steps: [], owner: ''}", False), ("{type: t, steps: [], owner: ':x'}", False),
        ("{type: t, steps: [], lifecycle: ''}", False), ("{type: t, steps: [x]}", False),
        ("{type: t, steps: [{}]}", False), ("{type: t, steps: [{action: ''}]}", True),
        ("{type: t, steps: [{action: 5}]}", False), ("{type: t, steps: [{action: a, id: 5}]}", False),
        ("{type: t, steps: [{action: a, input: ~}]}", False), ("{type: t, steps: [{action: a, input: {}}]}", True),
        ("{type: t, steps: [{action: a, if: true}]}", True), ("{type: t, steps: [{action: a, if: 5}]}", False),
        ("{type: t, steps: [{action: a, each: 5}]}", True),
        ("{type: t, steps: [{action: a, 'backstage:permissions': {tags: [5]}}]}", False),
        ("{type: t, steps: [], parameters: {}}", True), ("{type: t, steps: [], parameters: [{}]}", True),
        ("{type: t, steps: [], parameters: ~}", False), ("{type: t, steps: [], parameters: [x]}", False),
        ("{type: t, steps: [], parameters: {'backstage:permissions': 5}}", False),
        ("{type: t, steps: [], parameters: [{'backstage:permissions': {tags: x}}]}", False),
        ("{type: t, steps: [], secrets: {schema: 5}}", False), ("{type: t, steps: [], secrets: []}", False),
        ("{type: t, steps: [], presentation: {buttonLabels: {backButtonText: ''}}}", True),
        ("{type: t, steps: [], presentation: {buttonLabels: {backButtonText: 5}}}", False),
        ("{type: t, steps: [], EXPERIMENTAL_recovery: {EXPERIMENTAL_strategy: 5}}", False),
        ("{type: t, steps: [], formDecorators: [{id: 5}]}", False),
        ("{type: t, steps: [], EXPERIMENTAL_formDecorators: [5]}", False),
        ("{type: t, steps: [], output: {a: b}}", True), ("{type: t, steps: [], output: {a: 5}}", False),
        ("{type: t, steps: [], output: {links: [{}]}}", True),
        ("{type: t, steps: [], output: {links: [{url: ''}]}}", False),
        ("{type: t, steps: [], output: {links: [{if: 5}]}}", False),
        ("{type: t, steps: [], output: {text: [{content: ''}]}}", True),
        ("{type: t, steps: [], output: {text: [{title: ''}]}}", False),
        ("{type: t, steps: [], output: {text: x}}", False),
    ],
)  # fmt: skip
def test_templates(spec, good):
    assert verdicts(TEMPLATE if spec is None else f"{TEMPLATE}spec: {spec}\n") == [good]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('"\\ud83d\\ude00"', "😀"), ('"\\\\ud83d\\\\ude00"', "\\ud83d\\ude00"), ("'a' #c", "a"), ("|\n    a", "a\n"),
        ("|-\n    a", "a"), ("| #c\n    a", "a\n"), ("a\rb", "a\rb"), ("&a-b d", "d"), ("|\n    \ta", "\ta\n"),
         ("|\n    \n    \ta\n    b\tc", "\n\ta\nb\tc\n"), ("&a.b/é d", "d"), ("[&ä 5, *ä]", [5, 5]),
        (f"component:{'x' * 300}",) * 2,
    ],
)  # fmt: skip
def test_values_at_the_end_of_a_file(written, read):
    assert only(component("a", spec=f"  x: {written}")).entity["spec"]["x"] == read


@pytest.mark.parametrize(
    ("spec", "good"),
    [
        ("x: 'a'#c", False), ('x: "a"#c', False), ("x: |#c\n    a", False), ("x: [a]#c", False), ("x: {a: b}#c", False),
        ("x: [a,#c\n    b]", False), ("x: [#c\n    b]", False), ("x: {#c\n    a: b}", False),
        ("x: {a: b # c\n    ,#d\n    }", False), ("x: [a, # c\n   'b' #c\n    , [c],\n    #d\n    d#, #e\n    ]", True),
        ("x: 1\n\t\n  y: 2", True), ("x: 1\n\t# c\n  y: 2", True), ("x: |\n    a\n\t\n  y: 2", False),
        ("[a]: b", False), ("{{ a }}: b", False), ("'{{ a }}': b", True), ("x: {{ a }}", True),
        ("x:\n    {{ a }}: b", True), ("x:\n  {{ a }}: b", True), ("x:\n    -\n  # c\n  [a]: b", True),
        ("x: |\n    a\n  [a]: b", True), ("x: |\n    a\n  # c\n  [a]: b", False), ("x: &a\n  y: *a\n  [a]: b", False),
        ("x:\n    - |\n      a\n  [a]: b", False), ("x: |\n    a\n\n  [a]: b", False), ("x: {a: }\n  [a]: b", False),
        ("x:\n  |\n    a", False), ("x:\n  >-\n    a", False), ("x:\n   |\n    a", True),
        ("x:\n  -\n  |\n    a", False), ("x: |\n\ta", False), ("x:\n  -\ta\n  - b", True),
        ("x:\n  -\ta: b", False), ("x:\n  - -\t a#b: c", False), ("x:\n  -\t- b", False),
        ("x: |\n    a\n  \ty: 2", False), ("x: |\n    \n  \t a\n  y: 2", False), ("x: |\n\n   \ta\n  y: 2", True),
        ("x:\n  - \t'a: b'", True), ("x:\n  -\t&a b", False), ("x: &a.b c\n  y: *a.c", False),
    ],
)  # fmt: skip
def test_spaces_comments_and_keys(spec, good):
    assert verdicts(component("a", spec=f"  {spec}\n")) == [good]


def test_a_quotation_that_never_ends_holds_all_that_follows():
    good = component("a")
    assert verdicts(f"a: 'x\n---\n{good}") == [False]
    assert verdicts(f"{good}---\na: 'x\n---\n{good}---\n{good}") == [True, False]
    quoting = component("a", spec="  x: 'y'\n")
    assert verdicts(f"a: 'x\n---\n{quoting}") == [False, True]


def test_text_that_is_not_utf_8_is_read_with_replacements():
    content = component("a", metadata="  title: cafX\n").encode().replace(b"X", b"\xe9")
    assert only(content).entity["metadata"]["title"] == "caf\ufffd"


@pytest.mark.parametrize("directive", ["%FOO bar", "%YAML 1.3", "%YAML 1.2", "%TAG ! tag:x,2000:"])
def test_directives_are_passed_over(directive):
    assert verdicts(f"{directive}\n---\n{component('a')}") == [True]


def test_what_has_no_order_comes_sorted_by_code_units():
    names = ["b", "B", "a", "\uffee", "\U0001f600"]
    document = only(component("x", spec=f"  providesApis: {names}\n  x: [b, a]\n"))
    assert document.entity["spec"]["providesApis"] == ["B", "a", "b", "\U0001f600", "\uffee"]
    assert document.entity["spec"]["x"] == ["b", "a"]


def test_the_catalogs_own_annotations_in_a_file_do_not_count():
    annotations = f"  annotations: {{{OWN}: [1], backstage.io/managed-by-origin-location: x, a: b}}\n"
    assert only(component("a", metadata=annotations)).entity["metadata"]["annotations"] == {"a": "b"}
    assert "annotations" not in only(component("a", metadata="  annotations:\n")).entity["metadata"]


@pytest.mark.parametrize(
    ("kind", "spec", "edges"),
    [
        ("System", "{owner: Team, domain: n/D}", {
            "system:x/a ownedBy group:x/team", "group:x/team ownerOf system:x/a",
            "system:x/a partOf domain:n/d", "domain:n/d hasPart system:x/a",
        }),
        ("Domain", "{owner: 'User:joe', subdomainOf: big}", {
            "domain:x/a ownedBy user:x/joe", "user:x/joe ownerOf domain:x/a",
            "domain:x/a partOf domain:x/big", "domain:x/big hasPart domain:x/a",
        }),
        ("Resource", "{type: t, owner: default/o, dependsOn: ['API:b', 'api:x/B'], dependencyOf: ['component:y/c']}", {
            "resource:x/a ownedBy group:default/o", "group:default/o ownerOf resource:x/a",
            "resource:x/a dependsOn api:x/b", "api:x/b dependencyOf resource:x/a",
            "resource:x/a dependencyOf component:y/c", "component:y/c dependsOn resource:x/a",
        }),
        ("Group", "{type: t, parent: p, children: [c], members: [m, 'group:g']}", {
            "group:x/a childOf group:x/p", "group:x/p parentOf group:x/a", "group:x/a parentOf group:x/c",
            "group:x/c childOf group:x/a", "group:x/a hasMember user:x/m", "user:x/m memberOf group:x/a",
            "group:x/a hasMember group:x/g", "group:x/g memberOf group:x/a",
        }),
        ("Location", "{target: ./b.yaml}", set()),
    ],
)  # fmt: skip
def test_relations(kind, spec, edges):
    head = f"apiVersion: backstage.io/v1beta1\nkind: {kind}\nmetadata: {{name: A, namespace: x}}\n"
    document = only(f"{head}spec: {spec}\n")
    assert {
        f"{edge.source} {edge.type} {edge.target}"
        for edge in edges_of(document.ref, declared(document.entity, document.kind))
    } == edges


def test_a_template_is_owned():
    document = only(f"{TEMPLATE}spec: {{type: t, steps: [], owner: 'user:a/b'}}\n")
    assert edges_of(document.ref, declared(document.entity)) == {
        ("template:default/a", "ownedBy", "user:a/b"),
        ("user:a/b", "ownerOf", "template:default/a"),
    }


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("!!timestamp 2020-1-1", "2020-01-01T00:00:00.000Z"),
        ("!!timestamp 2001-12-14 21:59:43.10 -5", "2001-12-15T02:59:43.100Z"),
        ("!!timestamp 2020-13-45T25:00:00+01:30", "2021-02-14T23:30:00.000Z"),
        ("!!timestamp 0020-01-01", "1920-01-01T00:00:00.000Z"),
        ("!!binary 'a G-_=k'", {"type": "Buffer", "data": [104, 111, 191]}),
        ("!!binary x", {"type": "Buffer", "data": []}),
        ("!!set {a, b: ~}", {}), ("!!set [a]", ["a"]), ("!!omap [a: 1, b]", {}), ("!!omap {a: 1}", {"a": 1}),
        ("!!pairs [a: 1, a: 2, b, {}]", [{"a": 1}, {"a": 2}, {"b": None}, {"": None}]),
        ("!!int 1.5", "1.5"), ("!!int 0x1F", 31), ("!!int true", "true"), ("!!float 1", "1"), ("!!float .5", 0.5),
        ("!!float 0x1F", "0x1F"), ("!!null ''", None), ("!!bool 'true'", True), ("!!str 5", "5"), ("!foo [a]", ["a"]),
        ("!!merge b", None), ("[!!merge b]", [None]),
    ],
)  # fmt: skip
def test_tags(written, read):
    assert only(component("a", spec=f"  x: {written}")).entity["spec"]["x"] == read


@pytest.mark.parametrize(
    "written",
    [
        "!!timestamp x", "!!timestamp", "!!set {a: b}", "!!omap [a: 1, a: 2]",
        "!!omap [{a: 1, b: 2}]", "!!pairs [{a: 1, b: 2}]",
    ],
)  # fmt: skip
def test_what_is_none_of_what_its_tag_says_is_a_fault(written):
    assert [fault.path for fault in only(component("a", spec=f"  x: {written}")).faults] == ["spec.x"]


@pytest.mark.parametrize(
    ("spec", "read"),
    [
        ("x: [] :", {"x": [], "": None}), ("x: {} : b", {"x": {}, "": "b"}),
        ("x: &a [] : [c] # d", {"x": [], "": ["c"]}),
        ("x:\n  - a: [] :", {"x": [{"a": [], "": None}]}), ("x:\r y", {"x": "\r y"}),
        ("x: a # \0", {"x": "a"}),
    ],
)  # fmt: skip
def test_slips_that_backstage_lets_pass(spec, read):
    entity = only(component("a", spec=f"  {spec}\n")).entity
    assert {key: entity["spec"][key] for key in read} == read


@pytest.mark.parametrize("spec", ["x: [] :\n  y: [] :", "x: [] :b", "x: [] : b: c", "x: *a :", "x: 'a' :"])
def test_a_colon_behind_a_list_makes_one_entry_at_most(spec):
    assert verdicts(component("a", spec=f"  {spec}\n")) == [False]


MARK, GOOD = "\ufeff", component("a")


@pytest.mark.parametrize(
    ("content", "good"),
    [
        (f"# c\n{MARK}{GOOD}", [True]), (f"# c\n{MARK}---\n{GOOD}", [True]), (f"{GOOD}...\n{MARK}{GOOD}", [True, True]),
        (f"{MARK}{MARK}{GOOD}", [False]), (f"{GOOD}---\n{MARK}{GOOD}", [True, False]), (f"{GOOD}{MARK}---\n", [False]),
        (f"# c\n{MARK}", []), ("\u2028\n", [False]), (f"\u00a0\n---\n{GOOD}", [False, True]),
        (f"\r\n---\n{GOOD}", [True]),
        (f"{GOOD}---\r{GOOD}", [True, False]), (f"{GOOD}---\nx: \0\n---\n{GOOD}", [True, False, True]),
    ],
)  # fmt: skip
def test_byte_order_marks_and_blanks_between_documents(content, good):
    assert verdicts(content) == good


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("http://é.com", True), ("http://１２７.1", True), ("http://☃.net", True), ("http://..", True),
        ("http://xn--a", True), ("http://é.xn--a", False), ("http://\u00ad", False), ("http://a\u200db", False),
        ("http://\u0300a", False), ("http://אa", False), ("http://1א", False), ("http://א1", True),
        ("http://%FF", False), ("http://℻", True), ("http://\ue000", False), ("http://256..", True),
        ("file://h:80", False), ("file://a b", False), ("file:///a b", True), ("file://C:/a", True), ("file:a", True),
    ],
)  # fmt: skip
def test_hosts_of_links(url, good):
    assert verdicts(component("a", metadata=f"  links: [{{url: '{url}'}}]\n")) == [good]
