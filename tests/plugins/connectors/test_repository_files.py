"""Facts out of repository files, asked of server doubles that hold each question against the vendors' schemas."""

import pytest

from plugins.connectors.github import files
from plugins.contract import FailureKind, PullFailed, Target
from plugins.http_client import Limits, SourceClient
from plugins.repository_files.seen import MAX_BYTES, Wanted
from portal_backend.core.config import Secret, SourceAuth
from tests.fakes.server import Fault
from tests.plugins.connectors.code_host import LOCATION, REF, SLUG, Host, entry
from tests.plugins.connectors.reading import joined


def test_a_file_is_there_or_not(host):
    host.add({"README.md": "# Checkout", "docs/runbook.md": "…"})
    found = host.read(
        entry("readme", ["README", "README.md"]),
        entry("runbook", "docs/runbook.md"),
        entry("folder", "docs"),
        entry("license", "LICENSE"),
    )
    assert found == {"readme": True, "runbook": True, "folder": False, "license": False}


def test_what_stands_in_a_file(host):
    host.add({"Dockerfile": "# syntax\nFROM node@sha256:abc\nUSER app\n", "go.mod": "module x\n\ngo 1.22\n"})
    found = host.read(
        entry("pinned", "Dockerfile", matches="^FROM .+@sha256:"),
        entry("root", "Dockerfile", matches="^USER root$"),
        entry("user", "Dockerfile", contains="USER app"),
        entry("go", "go.mod", capture=r"^go (\S+)"),
        entry("other", "Cargo.toml", capture="edition"),
    )
    assert found == {"pinned": True, "root": False, "user": True, "go": "1.22", "other": ""}


def test_a_file_may_be_empty_or_written_on_windows(host):
    host.add({"empty.md": "", "a.json": '\ufeff{"x": 1}', "Dockerfile": "FROM a\r\nUSER app\r\n"})
    found = host.read(
        entry("empty", "empty.md", contains="x"),
        entry("has", "a.json", has="/x"),
        entry("user", "Dockerfile", matches="^USER app$"),
    )
    assert found == {"empty": False, "has": True, "user": True}


def test_values_of_json_yaml_and_toml(host):
    host.add(
        {
            "package.json": '{"engines": {"node": ">=20"}, "jest": {"least": 80}, "dependencies": {"b": "1", "a": ""}}',
            "ci.yml": "on: {push: {}}\nenv: &e {A: 1}\njobs:\n  test: {timeout: 15, env: *e, uses: [x@v1, y@v2]}\n",
            "pyproject.toml": '[project]\nrequires-python = ">=3.11"\ndynamic = true\n',
        }
    )
    found = host.read(
        entry("node", "package.json", value="/engines/node"),
        entry("coverage", "package.json", value="/jest/least", type="number"),
        entry("packages", "package.json", value="/dependencies", type="set"),
        entry("on_push", "ci.yml", has="/on/push"),
        entry("timeouts", "ci.yml", has="/jobs/*/timeout"),
        entry("actions", "ci.yml", value="/jobs/*/uses", type="set"),
        entry("first", "ci.yml", value="/jobs/test/uses/0"),
        entry("python", "pyproject.toml", value="/project/requires-python"),
        entry("dynamic", "pyproject.toml", value="/project/dynamic", type="boolean"),
        entry("nowhere", "package.json", value="/engines/npm"),
        entry("nothing", "package.json", value="/engines/npm", type="integer"),
    )
    assert found == {
        "node": ">=20",
        "coverage": 80,
        "packages": ["a", "b"],
        "on_push": True,
        "timeouts": True,
        "actions": ["x@v1", "y@v2"],
        "first": "x@v1",
        "python": ">=3.11",
        "dynamic": True,
        "nowhere": "",
    }


def test_a_path_may_stand_for_the_files_of_a_folder(host):
    workflows = {
        ".github/workflows/ci.yml": "- uses: actions/checkout@v4\n- uses: acme/lint@v1\n",
        ".github/workflows/release.yml": "- uses: acme/release@v2\n",
        ".github/workflows/README.md": "- uses: none\n",
        ".github/workflows/old/ci.yml": "- uses: none\n",
    }
    host.add(workflows)
    found = host.read(
        entry("workflows", ".github/workflows/*.yml"),
        entry("actions", ".github/workflows/*.yml", capture=r"uses: (\S+)", type="set"),
        entry("lint", ".github/workflows/*.y?l", contains="acme/lint"),
        entry("spec", "*.spec"),
    )
    assert found == {
        "workflows": True,
        "actions": ["acme/lint@v1", "acme/release@v2", "actions/checkout@v4"],
        "lint": True,
        "spec": False,
    }
    assert len(host.asked()) == 2  # the names first, then the texts


def test_the_names_of_files_are_a_set(host):
    host.add({"README.md": "", "LICENSE": "", "docs/a.md": "", "services/checkout/b.md": "", "services/checkout/c": ""})
    found = host.read(
        entry("files", "/*", type="set"),
        entry("own", "*.md", type="set"),
        entry("either", ["/LICENSE", "c", "d"], type="set"),
        entry("none", "x/*", type="set"),
        targets=(host.located("services/checkout"),),
    )
    assert found == {"files": ["LICENSE", "README.md"], "own": ["b.md"], "either": ["LICENSE", "c"], "none": []}


def test_paths_begin_in_the_folder_of_the_service(host):
    host.add({"README.md": "", "services/checkout/Dockerfile": "FROM a", "services/search/x": "", "Dockerfile": ""})
    search = "component:default/search"
    targets = (host.located("services/checkout"), host.located("services/search/.backstage", ref=search))
    files = (entry("dockerfile", "Dockerfile"), entry("readme", "/README.md"), entry("x", "x"))
    assert host.read(*files, targets=targets) == {"dockerfile": True, "readme": True, "x": False}
    assert host.read(*files, targets=targets, ref=search) == {"dockerfile": False, "readme": True, "x": True}


def test_a_source_location_elsewhere_is_no_folder_of_the_repository(host):
    host.add({"Dockerfile": ""})
    elsewhere = host.target(**{LOCATION: "url:https://code.example/acme/other/tree/main/services/checkout/"})
    for location in (elsewhere, host.target(**{LOCATION: "url:https://code.example/acme/checkout/tree/main/../x/"})):
        assert host.read(entry("dockerfile", "Dockerfile"), targets=(location,)) == {"dockerfile": True}


def test_what_may_not_be_seen_is_unknown_and_not_missing(host):
    host.add({"README.md": ""})
    host.hide(SLUG)
    pulled = host.pull(entry("readme", "README.md"))
    assert "repo.file.readme" not in {fact.key for fact in pulled.facts}
    assert any(fact.key == "repo.branch.protected" for fact in pulled.facts)
    (fault,) = [fault for fault in pulled.faults if fault.scope == f"{SLUG}: files"]
    assert "may not see" in fault.message


def test_an_empty_repository_holds_no_file(host):
    host.add({}, **({"empty": True} if host.name == "github" else {}))
    assert host.read(entry("readme", "README.md")) == {"readme": False}


def test_a_file_that_cannot_be_read_is_unknown_with_the_reason(host):
    host.add(
        {
            "big.json": " " * (MAX_BYTES + 1),
            "broken.json": "{",
            "bomb.yaml": "a: &a [x, x]\n"
            + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)),
            "picture.yaml": b"\x00\x01",
            "pointer.json": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            "number.json": '{"a": "many", "b": [1]}',
        }
    )
    asked = {
        "big": ("big.json", {"has": "/a"}, f"at most {MAX_BYTES:,} are read"),
        "broken": ("broken.json", {"has": "/a"}, "cannot be read as JSON"),
        "bomb": ("bomb.yaml", {"has": "/a"}, "more than 100,000 values"),
        "picture": ("picture.yaml", {"has": "/a"}, "no text"),
        "pointer": ("pointer.json", {"has": "/a"}, "Git LFS"),
        "number": ("number.json", {"value": "/a", "type": "number"}, "'many' stands there, which is no number"),
        "list": ("number.json", {"value": "/b"}, "a list or a mapping stands there, which is no string"),
    }
    pulled = host.pull(*(entry(name, path, **more) for name, (path, more, _) in asked.items()))
    said = {fault.scope: fault.message for fault in pulled.faults}
    for name, (path, _, reason) in asked.items():
        assert f"repo.file.{name}" not in {fact.key for fact in pulled.facts}
        message = said[f"{SLUG}: repo.file.{name}"]
        assert reason in message and path in message


def test_one_file_that_cannot_be_read_hides_no_other(host):
    host.add({"a.json": "{", "b.json": '{"x": 1}', "c.json": "{}"})
    found = host.read(
        entry("some", ["a.json", "b.json"], has="/x"),  # b.json has it, whatever is in a.json
        entry("none", ["a.json", "c.json"], has="/x"),
        entry("b", "b.json", has="/x"),
    )
    assert found == {"some": True, "b": True}


def test_more_files_than_are_looked_at_leave_it_open(host):
    host.add({f"tests/{number:03}.py": "assert" if number == 0 else "" for number in range(120)})
    found = host.read(
        entry("yes", "tests/*.py", contains="assert"),
        entry("no", "tests/*.py", contains="never"),
        entry("there", "tests/*.py"),
    )
    assert found == {"yes": True, "there": True}


def test_many_repositories_cost_one_question(host):
    targets = tuple(host.target(f"acme/{n}", f"component:default/s{n}") for n in range(20))
    for number in range(20):
        host.add({"README.md": ""} if number % 2 else {"x": ""}, f"acme/{number}")
    found = host.pull(entry("readme", "README.md"), targets=targets)
    told = {fact.ref: fact.value for fact in found.facts if fact.key == "repo.file.readme"}
    assert told == {f"component:default/s{n}": bool(n % 2) for n in range(20)}
    assert len(host.asked()) == 1


def test_nothing_is_asked_where_no_file_is_wanted(host):
    host.add({"README.md": ""})
    host.pull()
    assert host.asked() == []


def test_repositories_that_are_not_reached_are_not_asked_for(host):
    for number in range(60):
        host.add({"README.md": ""}, f"acme/{number:02}")
    targets = tuple(host.target(f"acme/{n:02}", f"component:default/s{n}") for n in range(60))
    context = host.context(*targets, files=[entry("readme", "README.md")], requests_per_run=30)
    facts = [fact.ref for fact in joined(host.connector, context).facts if fact.key == "repo.file.readme"]
    assert 0 < len(facts) < 20
    assert len(host.asked()) == 1  # for those of the first turn; the others' comes in the next run


def test_a_question_that_is_too_large_is_asked_in_halves(gitlab):
    host = Host("gitlab", gitlab)
    gitlab.most_at_once = 3
    targets = tuple(host.target(f"acme/{n}", f"component:default/s{n}") for n in range(8))
    for number in range(8):
        host.add({"README.md": ""}, f"acme/{number}")
    pulled = host.pull(entry("readme", "README.md"), targets=targets)
    assert sum(fact.key == "repo.file.readme" for fact in pulled.facts) == 8
    assert not [fault for fault in pulled.faults if "files" in fault.scope]
    assert len(host.asked()) == 1 + 2 + 4


def test_one_question_that_is_never_answered_costs_its_repository_alone(gitlab):
    host = Host("gitlab", gitlab)
    gitlab.most_at_once = 0
    host.add({"README.md": ""})
    pulled = host.pull(entry("readme", "README.md"))
    assert [fault.message for fault in pulled.faults if fault.scope == f"{SLUG}: files"] == [
        "api/graphql: Query has complexity of 312, which exceeds max complexity of 250"
    ]
    assert any(fact.key == "repo.branch.protected" for fact in pulled.facts)


def test_a_project_that_is_named_by_its_number(gitlab):
    host = Host("gitlab", gitlab)
    host.add({"README.md": ""}, "4711", settings={"id": 4711})
    target = Target(REF, "checkout", {"gitlab.com/project-id": "4711"})
    assert host.read(entry("readme", "README.md"), targets=(target,)) == {"readme": True}


def test_a_limit_of_graphql_ends_the_run(github):
    host = Host("github", github)
    host.add({"README.md": ""})
    limited = '{"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}'
    github.faults.append(Fault(200, limited, path="/graphql"))
    with pytest.raises(PullFailed) as failed:
        host.pull(entry("readme", "README.md"))
    assert failed.value.kind is FailureKind.RATE_LIMITED


def test_a_gateway_that_gives_up_is_asked_for_less(github):
    host = Host("github", github)
    targets = tuple(host.target(f"acme/{n}", f"component:default/s{n}") for n in range(2))
    for number in range(2):
        host.add({"README.md": ""}, f"acme/{number}")
    github.faults.append(Fault(502, "{}", path="/graphql"))
    pulled = host.pull(entry("readme", "README.md"), targets=targets)
    assert sum(fact.key == "repo.file.readme" for fact in pulled.facts) == 2
    assert len(github.questions) == 2  # one by one


def test_a_server_of_ones_own_answers_graphql_beside_its_rest(github):
    github.add(SLUG, files={"README.md": ""})
    client = SourceClient(f"{github.url}/api/v3/", SourceAuth(token=Secret("${GITHUB_TOKEN}")), Limits(attempts=1))
    (seen,) = files.ask(client, [(SLUG, Wanted({"README.md": False}))])
    assert seen.files["README.md"] is not None
    assert github.paths() == ["/api/graphql"]


def test_check_says_that_the_files_are_hidden(host):
    host.add({"README.md": ""})
    host.hide(SLUG)
    with pytest.raises(PullFailed) as failed:
        host.connector.check(host.context(files=[entry("readme", "README.md")]))
    assert failed.value.kind is FailureKind.PERMISSION
    assert "files" in failed.value.message
