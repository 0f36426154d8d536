"""Files of repositories: read through the host's API with a token, resolved like pages, found by patterns."""

from dataclasses import replace

import pytest

from catalog.ingestion.finishing import with_annotations
from catalog.ingestion.following import read_location
from catalog.ingestion.reading import Place, Reader, Unreadable
from catalog.places.exchange import Limits
from catalog.places.hosts import UrlPolicy
from catalog.places.scm import WELL_KNOWN, Integration, Scm, find_page, raw_file, raw_url, resolve, scm_annotations
from tests.catalog.samples import component, remembered
from tests.conftest import shared
from tests.fakes.code_hosts import GithubFiles, GitlabFiles
from tests.fakes.server import Fault

LOCATION = "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: all}\nspec: {targets: TARGETS}\n"


@pytest.fixture(params=["github", "gitlab"])
def host(request):
    """A host of code, the integration that knows it, and what stands between its repository and a branch."""
    fake = GithubFiles(shared("specs", "github.openapi.json")) if request.param == "github" else GitlabFiles(
        shared("specs", "gitlab.openapi.json")
    )  # fmt: skip
    with fake.running():
        yield fake
    assert fake.problems == []


def integration(fake, token="fake-token") -> Integration:
    name = fake.url.removeprefix("http://")
    if isinstance(fake, GithubFiles):
        return Integration(Scm.GITHUB, name, fake.url, token)
    return Integration(Scm.GITLAB, name, f"{fake.url}/api/v4", token)


def reader(fake, token="fake-token", **more) -> Reader:
    known = integration(fake, token)
    return Reader(UrlPolicy((), known.trusted()), integrations=(known,), **more)


def page(fake, path: str, ref: str = "main", slug: str = "acme/shop") -> str:
    return f"{fake.url}/{slug}/{'blob' if isinstance(fake, GithubFiles) else '-/blob'}/{ref}/{path}"


def refs(reading) -> list[str]:
    return [document.ref for file in reading.files for document in file.documents if document.entity]


def test_a_page_leads_to_the_file_and_what_it_names_is_resolved_within_the_repository(host):
    targets = "[./apps/a.yaml, ../b.yaml, /c.yaml, apps/**/info.yaml]"
    files = {"deep/all.yaml": LOCATION.replace("TARGETS", targets), "b.yaml": component("b"), "c.yaml": component("c"),
             "deep/apps/a.yaml": component("a"), "deep/apps/x/info.yaml": component("x"),
             "deep/apps/y/z/info.yaml": component("z"), "deep/other/info.yaml": component("other")}  # fmt: skip
    host.add("acme/shop", files)
    reading = read_location(reader(host), "url", page(host, "deep/all.yaml"), {})
    assert reading.faults == []
    assert refs(reading) == ["location:default/all", *(f"component:default/{name}" for name in "abcxz")]
    assert [file.place.target for file in reading.files][-1] == page(host, "deep/apps/y/z/info.yaml")
    assert {file.parent_ref for file in reading.files[1:]} == {"location:default/all"}


def test_an_etag_saves_the_body_and_a_new_one_brings_it(host):
    files = host.add("acme/shop", {"a.yaml": component("a")})["files"]
    first = read_location(reader(host), "url", page(host, "a.yaml"), {})
    known = remembered(first)
    assert [file.unchanged for file in read_location(reader(host), "url", page(host, "a.yaml"), known).files] == [True]
    files["a.yaml"] = component("a2")
    assert refs(read_location(reader(host), "url", page(host, "a.yaml"), known)) == ["component:default/a2"]


def test_a_branch_with_a_slash_is_written_with_its_escape(host):
    host.add("acme/shop", {"a.yaml": component("a")}, branches={"feature/x"})
    reading = read_location(reader(host), "url", page(host, "a.yaml", "feature%2Fx"), {})
    assert refs(reading) == ["component:default/a"]


def test_a_subgroup_is_part_of_a_gitlab_project(host):
    if isinstance(host, GithubFiles):
        assert find_page(page(host, "a.yaml", slug="acme/sub/shop"), [integration(host)]) is None
        return
    host.add("acme/sub/shop", {"a.yaml": component("a")})
    reading = read_location(reader(host), "url", page(host, "a.yaml", slug="acme/sub/shop"), {})
    assert refs(reading) == ["component:default/a"]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(403, "{}", {"x-ratelimit-remaining": "0", "retry-after": "60"}), "too many requests .* wait 60 s"),
        (Fault(429, "{}"), "too many requests"),
        (Fault(401, "{}"), "check the token"),
        (Fault(404, "{}"), "a token under catalog.integrations is needed"),
        (Fault(200, "<html>", content_type="text/html"), "web page"),
    ],
)
def test_what_goes_wrong_is_said_in_words(host, fault, message):
    host.add("acme/shop", {"a.yaml": component("a")})
    host.faults.append(fault)
    with pytest.raises(Unreadable, match=message):
        reader(host).read(Place("url", page(host, "a.yaml")))


def test_a_pattern_in_a_tree_that_is_not_told_whole_is_refused(host):
    host.faults.append(Fault(200, '{"tree": [], "truncated": true}'))
    with pytest.raises(Unreadable, match="does not tell all files"):
        list(reader(host).places("url", page(host, "**/a.yaml")))


def test_a_pattern_finds_nothing_in_a_github_repository_without_a_commit(host):
    if not isinstance(host, GithubFiles):
        return
    host.faults.append(Fault(409, '{"message": "Git Repository is empty."}'))
    assert list(reader(host).places("url", page(host, "**/a.yaml"))) == []
    host.faults.append(Fault(409, '{"message": "Conflict"}'))
    with pytest.raises(Unreadable, match="409"):
        list(reader(host).places("url", page(host, "**/a.yaml")))


def test_a_pattern_elsewhere_than_in_a_repository_is_refused():
    with pytest.raises(Unreadable, match="is a pattern"):
        list(Reader().places("url", "https://example.com/a/*.yaml"))


def test_a_listing_is_never_continued_on_another_host(host):
    if isinstance(host, GithubFiles):
        return
    host.faults.append(Fault(200, "[]", {"Link": '<http://127.0.0.1:1/more>; rel="next"'}))
    with pytest.raises(Unreadable, match="on another host"):
        list(reader(host).places("url", page(host, "**/a.yaml")))


def test_a_repository_that_moved_is_read_where_it_is_now_with_the_token(host):
    host.add("acme/new", {"a.yaml": component("a")})
    moved = raw_file(find_page(page(host, "a.yaml", slug="acme/new"), [integration(host)]))
    host.faults.append(Fault(301, "", {"Location": moved.url}))
    content = reader(host).read(Place("url", page(host, "a.yaml", slug="acme/old")))
    assert content.data == component("a").encode()


def test_a_token_does_not_follow_to_another_host(host):
    stranger = GithubFiles(shared("specs", "github.openapi.json"))
    with stranger.running():
        host.faults.append(Fault(302, "", {"Location": f"{stranger.url}/taken"}))
        known = integration(host)
        policy = UrlPolicy((), (*known.trusted(), *integration(stranger).trusted()))
        with pytest.raises(Unreadable, match="check the token"):  # the stranger saw none and answers 401
            Reader(policy, integrations=(known,)).read(Place("url", page(host, "a.yaml")))
    assert stranger.paths() == ["/taken"]


GITHUB, GITLAB = WELL_KNOWN


def test_without_a_token_files_of_github_are_read_from_its_host_of_raw_files():
    found = find_page("https://github.com/o/r/blob/main/a/b c.yaml".replace(" ", "%20"), WELL_KNOWN)
    assert raw_file(found).url == "https://raw.githubusercontent.com/o/r/main/a/b%20c.yaml"
    assert raw_file(found).headers == {}
    with_token = replace(found, integration=replace(GITHUB, token="s3cret"))
    assert raw_file(with_token).url == "https://api.github.com/repos/o/r/contents/a/b%20c.yaml?ref=main"
    assert raw_file(with_token).headers["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in repr(with_token)


def test_a_server_of_ones_own_is_asked_at_its_own_api():
    own = Integration(Scm.GITHUB, "ghe.example.com", "https://ghe.example.com/api/v3")
    found = raw_file(find_page("https://ghe.example.com/o/r/blob/main/a.yaml", [own]))
    assert found.url == "https://ghe.example.com/api/v3/repos/o/r/contents/a.yaml?ref=main"
    found = raw_file(find_page("https://gitlab.com/g/s/p/-/blob/main/d/a.yaml", WELL_KNOWN))
    assert found.url == "https://gitlab.com/api/v4/projects/g%2Fs%2Fp/repository/files/d%2Fa.yaml/raw?ref=main"


@pytest.mark.parametrize("target", ["../../../../secret/blob/main/x.yaml", "//evil.example/x", "./a/%2e%2e/%2e%2e/x"])
def test_a_target_may_not_lead_out_of_the_repository_unseen(target):
    with pytest.raises(Unreadable, match="leads out of the repository"):
        resolve("https://github.com/o/r/blob/main/all.yaml", target, WELL_KNOWN)


def test_pages_give_entities_the_addresses_where_they_are_edited():
    assert scm_annotations("https://github.com/o/r/blob/main/d/a.yaml", WELL_KNOWN) == {
        "backstage.io/edit-url": "https://github.com/o/r/edit/main/d/a.yaml",
        "backstage.io/source-location": "url:https://github.com/o/r/tree/main/d/",
    }
    assert scm_annotations("https://gitlab.com/g/p/-/blob/main/a.yaml", WELL_KNOWN) == {
        "backstage.io/edit-url": "https://gitlab.com/g/p/-/edit/main/a.yaml",
        "backstage.io/source-location": "url:https://gitlab.com/g/p/-/blob/main/",
    }
    assert scm_annotations("https://example.com/a.yaml", WELL_KNOWN) == {}
    assert scm_annotations("no url", WELL_KNOWN) == {}


def test_a_tree_is_asked_within_limits(host):
    host.add("acme/shop", {f"a{number}/info.yaml": component(f"a{number}") for number in range(150)})
    small = reader(host, max_file_bytes=Limits().body_bytes // 10_000)
    with pytest.raises(Unreadable, match="more than the"):
        list(small.places("url", page(host, "*/info.yaml")))
    assert len(list(reader(host).places("url", page(host, "*/info.yaml")))) == 150


def test_a_tree_that_stays_as_it_is_is_not_sent_again(host):
    files = host.add("acme/shop", {"a/info.yaml": component("a")})["files"]
    target = page(host, "*/info.yaml")
    assert len(list(reader(host).places("url", target))) == 1
    assert len(list(reader(host).places("url", target))) == 1
    assert host.unchanged == 1
    files["b/info.yaml"] = component("b")
    assert len(list(reader(host).places("url", target))) == 2
    assert host.unchanged == 1


def test_the_addresses_in_a_file_go_before_ours_but_not_its_locations():
    own = {"backstage.io/edit-url": "https://x/edit", "backstage.io/managed-by-location": "url:https://x"}
    entity = {"kind": "Component", "metadata": {"name": "a", "annotations": own}}
    target = "https://github.com/o/r/blob/main/a.yaml"
    found = with_annotations(entity, Place("url", target), f"url:{target}", WELL_KNOWN)["metadata"]["annotations"]
    assert found == {
        "backstage.io/edit-url": "https://x/edit",
        "backstage.io/source-location": "url:https://github.com/o/r/tree/main/",
        "backstage.io/view-url": target,
        "backstage.io/managed-by-location": f"url:{target}",
        "backstage.io/managed-by-origin-location": f"url:{target}",
    }


def test_a_page_on_a_gitlab_that_nobody_configured_is_read_as_its_raw_file():
    assert raw_url("https://git.example.com/g/p/-/blob/main/b.yaml") == "https://git.example.com/g/p/-/raw/main/b.yaml"
    assert raw_url("https://example.com/o/r/blob/main/b.yaml") == "https://example.com/o/r/blob/main/b.yaml"
