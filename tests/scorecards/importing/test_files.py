"""What rules of other products ask of repository files: entries that a source reads, drafted along with the check."""

import pytest
import yaml

from plugins.connectors.github import CONNECTOR as GITHUB
from plugins.connectors.gitlab import CONNECTOR as GITLAB
from plugins.repository_files.answering import answers
from plugins.repository_files.seen import File, Seen
from scorecards.importing.drafts import Outcome
from scorecards.importing.plain_jq import NotPlain, Plain, read
from scorecards.importing.writing import as_yaml, report
from tests.conftest import shared
from tests.scorecards.importing.test_checklists import DEFAULTS
from tests.scorecards.importing.test_products import checks_of, draft_of, leaf

CORPUS = ("corpus", "scorecards")
COLLECTORS = "broadinstitute__dsp-backstage__soundcheck-scm-facts-collectors.yaml"
CHECKS = "broadinstitute__dsp-backstage__soundcheck-soundcheck-checks.yaml"


def cortex(expression):
    return draft_of({"name": "Ready", "rules": [{"title": "The rule", "expression": expression}]})


def opslevel(kind, rest):
    return draft_of(f'resource "opslevel_check_{kind}" "c" {{\n  name = "The check"\n  {rest}\n}}', "checks.tf")


def predicate(kind, value=""):
    return f'file_contents_predicate = {{\n    type = "{kind}"\n    value = "{value}"\n  }}'


def entries_of(draft):
    """Return what a source is told, seen to be what both connectors take."""
    written = list(draft.files.values())
    for connector in (GITHUB, GITLAB):
        specs = connector.declared(connector.options_schema().load({"files": written}))
        declared = {fact["key"]: fact["type"] for fact in draft.facts.values()}
        assert {spec.key: spec.type.value for spec in specs}.items() <= declared.items()
    return [{key: value for key, value in one.items() if key != "fact"} for one in written]


def read_of(draft, **files):
    """Return the facts that a source would read of files, by the drafted entries."""
    loaded = GITHUB.options_schema().load({"files": list(draft.files.values())})["files"]
    texts = {path.replace("__", "."): text for path, text in files.items()}
    paths = {path for entry in loaded for path in entry.paths}
    seen = Seen({path.lstrip("/"): None for path in paths} | {path: File(path, text) for path, text in texts.items()})
    return answers(loaded, "", seen).values


@pytest.mark.parametrize(
    ("expression", "rule", "entries"),
    [
        (
            'git.fileExists("Dockerfile")',
            leaf("repo.file.dockerfile", "equal", True),
            [{"path": "Dockerfile"}],
        ),
        (
            'git.fileExists("a.md") == false and git.fileExists("docs/*.md")',
            {"all": [{"not": leaf("repo.file.a_md", "equal", True)}, leaf("repo.file.docs_any_md", "equal", True)]},
            [{"path": "a.md"}, {"path": "docs/*.md"}],
        ),
        (
            'git.fileContents("Dockerfile").matchesIn("^USER (?:app|nobody)$")',
            leaf("repo.file.dockerfile.user_app_nobody", "equal", True),
            [{"path": "Dockerfile", "matches": "^USER (?:app|nobody)$"}],
        ),
        (
            'git.fileContents("pom.xml").contains("junit") == true',
            leaf("repo.file.pom_xml.junit", "equal", True),
            [{"path": "pom.xml", "contains": "junit"}],
        ),
        (
            'git.fileContents("go.mod") != null',
            leaf("repo.file.go_mod", "equal", True),
            [{"path": "go.mod"}],
        ),
        (
            'jq(git.fileContents("package.json"), ".engines.node") == "20"',
            leaf("repo.file.package_json.engines_node", "equal", "20"),
            [{"path": "package.json", "value": "/engines/node", "type": "string"}],
        ),
        (
            'jq(git.fileContents("values.yaml"), ".replicas | tonumber") >= 2',
            leaf("repo.file.values_yaml.replicas", "greaterThanInclusive", 2),
            [{"path": "values.yaml", "value": "/replicas", "type": "number"}],
        ),
        (
            'jq(git.fileContents("package.json"), \'.scripts | has("test")\')',
            leaf("repo.file.package_json.has_scripts_test", "equal", True),
            [{"path": "package.json", "has": "/scripts/test"}],
        ),
        (
            'jq(git.fileContents("ci.yml"), \'[.jobs[].image] | any(. == "alpine")\') == true',
            leaf("repo.file.ci_yml.jobs_image", "someFact:in", ["alpine"]),
            [{"path": "ci.yml", "value": "/jobs/*/image", "type": "set"}],
        ),
        (
            'jq(git.fileContents("x.json"), ".items | length") > 2',
            leaf("repo.file.x_json.items_members", "hasAtLeast", 3),
            [{"path": "x.json", "value": "/items", "type": "set"}],
        ),
        (
            'jq(git.fileContents("x.json"), ".items") != null or jq(git.fileContents("x.json"), ".items | length") > 0',
            {
                "any": [
                    leaf("repo.file.x_json.has_items", "equal", True),
                    leaf("repo.file.x_json.items_any", "equal", True),
                ]
            },
            [{"path": "x.json", "has": "/items"}, {"path": "x.json", "has": "/items/*"}],
        ),
    ],
)
def test_cortex_asks_files(expression, rule, entries, tmp_path):
    draft = cortex(expression)
    [check] = checks_of(draft, tmp_path)
    assert (check.rule.tree, entries_of(draft)) == (rule, entries)


@pytest.mark.parametrize(
    "expression",
    [
        'git.fileExists("**/Dockerfile")',
        'git.fileContents("x").matchesIn("(?!a)b")',
        'git.fileContents("x").length > 3',
        'jq(git.fileContents("x.json"), ".a[] | select(.b > 1)") != null',
        'jq(git.fileContents("x.json"), ".a") == custom("b")',
    ],
)
def test_what_no_source_reads_is_supplied_as_a_fact(expression, tmp_path):
    draft = cortex(expression)
    [check] = checks_of(draft, tmp_path)
    assert (check.rule.tree, draft.files) == (leaf("cortex.the_rule", "equal", True), {})
    assert "says more than a rule of ours" in draft.said[0].why


def test_the_whole_of_a_file_is_matched_as_cortex_does():
    draft = cortex('git.fileContents("a").matches(".*npm.*test.*") and git.fileContents("a").matches("x.y")')
    inner, outer = draft.files
    assert read_of(draft, a="run: npm ci\nrun: npm test\n") == {inner: True, outer: False}
    assert read_of(draft, a="x\ny") == {inner: False, outer: True}


def test_two_rules_that_ask_the_same_share_an_entry_and_others_do_not(tmp_path):
    rules = [
        {"title": "One", "expression": 'git.fileExists("a.md")'},
        {"title": "Two", "expression": 'git.fileExists("a.md") and git.fileContents("b").contains("x y")'},
        {"title": "Three", "expression": 'git.fileContents("b").contains("x-y")'},
    ]
    draft = draft_of({"name": "Ready", "rules": rules})
    assert list(draft.files) == ["repo.file.a_md", "repo.file.b.x_y", "repo.file.b.x_y_2"]
    assert checks_of(draft, tmp_path)[2].rule.tree == leaf("repo.file.b.x_y_2", "equal", True)


@pytest.mark.parametrize(
    ("rest", "entry", "good", "bad"),
    [
        ("", {"path": "a.md"}, "x", None),
        (predicate("contains", "x y"), {"path": "a.md", "contains": "x y"}, "a x y b", "x"),
        (predicate("matches_regex", "^x+$"), {"path": "a.md", "matches": "^x+$"}, "a\nxx\nb", "ax"),
        (predicate("equals", "x.y"), {"path": "a.md", "matches": r"\A\s*x\.y\s*\z"}, "x.y\n", "x.y\nz"),
        (predicate("starts_with", "x"), {"path": "a.md", "matches": r"\Ax"}, "xa", "a\nx"),
        (predicate("ends_with", "x"), {"path": "a.md", "matches": r"x\s*\z"}, "ax\n", "x\na"),
    ],
)
def test_opslevel_asks_files(rest, entry, good, bad, tmp_path):
    draft = opslevel("repository_file", f'filepaths = ["a.md"]\n  {rest}')
    [check] = checks_of(draft, tmp_path)
    assert entries_of(draft) == [entry]
    [key] = draft.files
    assert check.rule.tree == leaf(key, "equal", True)
    assert read_of(draft, a__md=good) == {key: True}
    assert read_of(draft, **({"a__md": bad} if bad else {})) == {key: False}


def test_opslevel_asks_that_something_does_not_stand_in_a_file_that_is_there(tmp_path):
    rest = f'filepaths = ["/a", "b"]\n  use_absolute_root = true\n  {predicate("does_not_contain", "x")}'
    draft = opslevel("repository_file", rest)
    [check] = checks_of(draft, tmp_path)
    assert entries_of(draft) == [{"path": ["/a", "/b"]}, {"path": ["/a", "/b"], "contains": "x"}]
    there, holds = draft.files
    assert check.rule.tree == {"all": [leaf(there, "equal", True), {"not": leaf(holds, "equal", True)}]}


def test_opslevel_asks_for_folders_versions_and_values(tmp_path):
    folder = opslevel("repository_file", 'filepaths = ["docs/"]\n  directory_search = true')
    assert entries_of(folder) == [{"path": "docs/*"}]
    version = opslevel(
        "repository_file", f'filepaths = [".nvmrc"]\n  {predicate("satisfies_version_constraint", ">= 18")}'
    )
    [check] = checks_of(version, tmp_path)
    [key] = version.files
    assert check.rule.tree == leaf(key, "versionAtLeast", "18")
    assert read_of(version, __nvmrc="v20.1.0\n") == {key: "20.1.0"}
    jq = opslevel(
        "repository_file", f'filepaths = ["a.json"]\n  {predicate("satisfies_jq_expression", ".private == true")}'
    )
    assert entries_of(jq) == [{"path": "a.json", "value": "/private", "type": "boolean"}]


@pytest.mark.parametrize(
    ("kind", "rest", "told"),
    [
        (
            "repository_grep",
            f'filepaths = ["**/x.py"]\n  {predicate("contains", "y")}',
            "/**/x.py: contains y ('/**/x.py': `*` and `?` may stand in the file's own name only; name the folders)",
        ),
        (
            "repository_search",
            f'file_extensions = ["py"]\n  {predicate("equals", "import x")}',
            "py: equals import x (a source reads files by their names, and searches none)",
        ),
    ],
)
def test_what_is_searched_for_everywhere_is_a_fact_that_says_what_to_look_for(kind, rest, told, tmp_path):
    draft = opslevel(kind, rest)
    [check] = checks_of(draft, tmp_path)
    assert check.rule.tree == leaf("repo.contents.the_check", "equal", True)
    assert draft.facts["repo.contents.the_check"]["description"] == f"Whether this is so of what stands in {told}"


def test_collectors_of_soundcheck_say_where_the_facts_of_its_checks_stand(tmp_path):
    collectors, checks = shared(*CORPUS, COLLECTORS).read_text(), shared(*CORPUS, CHECKS).read_text()
    draft = draft_of(f"{collectors}\n---\n{checks}", "soundcheck.yaml")
    pattern = r"\s*run:\s*\.\/gradlew.*test"
    assert entries_of(draft) == [
        {"path": "README.md"},
        {"path": "foundation.yaml"},
        {"path": ".github/workflows/build-and-test.yml", "matches": pattern},
    ]
    asked = {fact for check in checks_of(draft, tmp_path) for fact in check.facts}
    assert set(draft.files) <= asked
    apart = draft_of(collectors, "collectors.yaml")
    assert apart.files == draft.files
    assert any("import both at once" in note for note in draft_of(checks, "checks.yaml").notes)
    assert not any("import both at once" in note for note in draft.notes)


def test_a_line_about_a_file_says_what_a_source_has_to_read():
    draft = draft_of("- [ ] There is a README\n", "list.md")
    assert [one.outcome for one in draft.said] == [Outcome.AUTOMATIC]
    assert entries_of(draft) == [{"path": "/*", "type": "set"}]


def test_the_file_of_checks_shows_what_to_put_into_the_configuration():
    draft = cortex('git.fileExists("README.md")')
    written = as_yaml(draft, DEFAULTS)
    comment = written.partition("# files:\n")[2].partition("\n\n")[0]
    shown = yaml.safe_load("files:\n" + comment.replace("# ", "", 1).replace("\n# ", "\n"))
    assert shown == {"files": [{"fact": "repo.file.readme_md", "path": "README.md"}]}
    assert report(draft)["files"] == shown["files"]
    assert any("repo.file.readme_md" in note and "`options:`" in note for note in draft.notes)


@pytest.mark.parametrize(
    ("program", "asked"),
    [
        (".a.b", Plain(("a", "b"))),
        ('.a["b-c"][0]', Plain(("a", "b-c", "0"))),
        ('."a b".c?', Plain(("a b", "c"))),
        (".a | .b", Plain(("a", "b"))),
        (".a == 3", Plain(("a",), "equal", 3)),
        ("(.a | length) >= 2", Plain(("a",), "greaterThanInclusive", 2, counted=True)),
        (".a | length > 0", Plain(("a",), "greaterThan", 0, counted=True)),
        (".a != null", Plain(("a",), "exists", True)),
        (".a == null", Plain(("a",), "exists", True, negated=True)),
        (".a | not", Plain(("a",), "equal", False)),
        ('.a | test("x|y")', Plain(("a",), "matchesRegex", "x|y")),
        ('.a | startswith("x")', Plain(("a",), "startsWith", "x")),
        ('.a | contains(["x"])', Plain(("a", "*"), "someFact:in", ["x"])),
        ('.a | index("x") != null', Plain(("a", "*"), "someFact:in", ["x"])),
        ('[.a[].b] | all(. == "x")', Plain(("a", "*", "b"), "everyFact:in", ["x"])),
        ('.a | has("x") | not', Plain(("a", "x"), "exists", True, negated=True)),
    ],
)
def test_plain_programs_of_jq(program, asked):
    assert read(program) == asked


@pytest.mark.parametrize(
    "program",
    [
        ".a[] | select(.b)",
        ".a // 1",
        ".a | map(.b) | add",
        "def f: f; f",
        ".a == .b",
        ".a[] > 1",
        '.a | test("x") == 3',
        "",
    ],
)
def test_other_programs_of_jq_would_have_to_be_run(program):
    with pytest.raises(NotPlain):
        read(program)
