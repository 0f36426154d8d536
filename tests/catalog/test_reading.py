"""Files, folders, patterns and URLs as they really are: large, slow, missing, in circles."""

import os
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from catalog.ingestion.following import MAX_NESTING, read_location
from catalog.ingestion.reading import Known, Place, Reader, Unreadable
from catalog.places.hosts import AllowedHost, UrlPolicy
from tests.catalog.samples import component, files, remembered

LOOPBACK = UrlPolicy(allow=(AllowedHost("127.0.0.1:*"),))
READER = Reader(LOOPBACK)
LOCATION = "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata:\n  name: {name}\nspec: {spec}\n"


def location(name: str, spec: str) -> str:
    return LOCATION.format(name=name, spec=spec)


def read(target, reader=None, known=None):
    return read_location(reader or READER, "file", str(target), known or {})


def refs(reading) -> list[str]:
    return [document.ref for file in reading.files for document in file.documents if document.entity]


def test_a_folder_means_all_yaml_files_below_it(tmp_path):
    for folder in ("a", "a/.backstage", ".git", "node_modules", "..2026_11_22"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "catalog-info.yml").write_text(component(f"in-{folder.strip('.').replace('/.', '-')}"))
    (tmp_path / "note.txt").write_text("no: [")
    assert refs(read(tmp_path)) == ["component:default/in-a", "component:default/in-a-backstage"]


def test_links_inside_a_folder_are_read_once_and_links_out_of_it_not_at_all(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    files(inside, real=component("real"))
    files(outside, secret=component("secret"))
    (inside / "out.yaml").symlink_to(outside / "secret.yaml")
    (inside / "loop").symlink_to(inside)
    assert refs(read(inside)) == ["component:default/real"]


def test_a_pattern_means_the_files_that_fit_it(tmp_path):
    for name in ("x/catalog-info.yaml", "x/y/catalog-info.yaml", "x/other.yaml", "z/catalog-info.yaml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(component(name.replace("/", "-").removesuffix(".yaml")))
    found = [file.place.target for file in read(tmp_path / "x" / "**" / "catalog-info.yaml").files]
    assert found == [str(tmp_path / "x/catalog-info.yaml"), str(tmp_path / "x/y/catalog-info.yaml")]
    assert [file.place.target for file in read(tmp_path / "[!x]" / "c?talog*.yaml").files] == [
        str(tmp_path / "z/catalog-info.yaml")
    ]
    assert read(tmp_path / "nothing*").error is None


def test_a_missing_file_is_an_error_of_the_location(tmp_path):
    reading = read(tmp_path / "gone.yaml")
    assert "No such file" in reading.error
    assert not reading.complete


def test_a_file_that_is_too_large_does_not_keep_its_neighbours(tmp_path):
    files(tmp_path, a=component("a"), big=component("big") + "# " + "x" * 5000, c=component("c"))
    reading = read(tmp_path, Reader(LOOPBACK, max_file_bytes=2000))
    assert refs(reading) == ["component:default/a", "component:default/c"]
    assert not reading.complete
    assert reading.error is None
    assert [fault.file for fault in reading.faults] == [str(tmp_path / "big.yaml")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_folder_is_a_fault(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    assert not read(tmp_path).complete


def test_what_is_no_regular_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    assert "not a regular file" in read(tmp_path).faults[0].message


def test_nested_locations_are_followed_from_the_file_that_names_them(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    files(tmp_path, root=location("root", "{targets: [deep/all.yaml, ./deep/../deep/all.yaml]}"))
    files(tmp_path / "deep", all=location("all", "{target: ./er/*.yaml}"))
    files(tmp_path / "deep" / "er", a=component("a"), b=component("b"))
    reading = read(tmp_path / "root.yaml")
    assert refs(reading) == [
        "location:default/root",
        "location:default/all",
        "component:default/a",
        "component:default/b",
    ]
    assert reading.faults == []


def test_locations_in_a_circle_are_read_once(tmp_path):
    files(tmp_path, a=location("a", "{target: b.yaml}"), b=location("b", "{targets: [a.yaml, b.yaml]}"))
    assert refs(read(tmp_path / "a.yaml")) == ["location:default/a", "location:default/b"]


def test_a_chain_of_locations_that_is_too_long_is_a_fault(tmp_path):
    for number in range(MAX_NESTING + 3):
        files(tmp_path, **{f"l{number}": location(f"l{number}", f"{{target: l{number + 1}.yaml}}")})
    reading = read(tmp_path / "l0.yaml")
    assert len(reading.files) == MAX_NESTING + 1
    assert "more than" in reading.faults[0].message


def test_a_missing_nested_target_is_a_fault_unless_it_may_be_absent(tmp_path):
    files(tmp_path, a=location("a", "{target: gone.yaml}"), b=location("b", "{target: gone.yaml, presence: optional}"))
    assert [fault.file for fault in read(tmp_path / "a.yaml").faults] == [str(tmp_path / "a.yaml")]
    assert read(tmp_path / "b.yaml").faults == []


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ("{type: github-discovery, target: https://github.com/x}", "spec.target"),
        ("{targets: [a.yaml, 'https://example.com/x.yaml']}", "spec.targets[1]"),
    ],
)
def test_what_cannot_be_followed_is_a_fault_of_its_field(tmp_path, spec, path):
    files(tmp_path, root=location("root", spec), a=component("a"))
    (fault,) = read(tmp_path / "root.yaml").faults
    assert (fault.path, fault.document, fault.ref) == (path, 0, "location:default/root")


def test_a_known_file_is_not_judged_again_but_still_leads_on(tmp_path):
    files(tmp_path, root=location("root", "{target: a.yaml}"), a=component("a"))
    first = read(tmp_path / "root.yaml")
    known = remembered(first)
    (tmp_path / "a.yaml").write_text(component("b"))
    again = read(tmp_path / "root.yaml", known=known)
    assert [file.unchanged for file in again.files] == [True, False]
    assert refs(again) == ["component:default/b"]


@contextmanager
def serving(answer):
    """A web server on loopback; `answer(handler)` writes each response."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            answer(self)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def send(handler, body: bytes = b"", status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def test_a_url_leads_to_urls_beside_it_and_its_etag_saves_the_body():
    asked = []

    def answer(handler):
        asked.append((handler.path, handler.headers.get("If-None-Match")))
        if handler.headers.get("If-None-Match") == '"1"':
            send(handler, status=304)
        elif handler.path == "/c/all.yaml":
            send(handler, location("all", "{target: ./a.yaml}").encode(), ETag='"1"')
        else:
            send(handler, component("a").encode(), ETag='"1"', Content_Type="text/plain")

    with serving(answer) as url:
        first = read_location(READER, "url", f"{url}/c/all.yaml", {})
        known = remembered(first)
        again = read_location(READER, "url", f"{url}/c/all.yaml", known)
    assert refs(first) == ["location:default/all", "component:default/a"]
    assert [file.unchanged for file in again.files] == [True, True]
    assert asked[2:] == [("/c/all.yaml", '"1"'), ("/c/a.yaml", '"1"')]


def test_a_url_may_not_lead_to_files_of_this_machine(tmp_path):
    files(tmp_path, secret=component("secret"))
    body = location("all", f"{{type: file, target: {tmp_path}/secret.yaml}}").encode()
    with serving(lambda handler: send(handler, body)) as url:
        reading = read_location(READER, "url", f"{url}/all.yaml", {})
    assert refs(reading) == ["location:default/all"]
    assert "may only lead to URLs" in reading.faults[0].message


def fetch(answer, reader=None, path="/x.yaml"):
    with serving(answer) as url:
        return (reader or READER).read(Place("url", url + path))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda handler: send(handler, b"gone", 404), "404"),
        (lambda handler: send(handler, b"oops", 500), "500"),
        (lambda handler: send(handler, b"<html>", Content_Type="text/html; charset=utf-8"), "web page"),
        (lambda handler: send(handler, status=302, Location="/again"), "redirects more than"),
        (lambda handler: send(handler, status=302, Location="file:///etc/passwd"), "no http or https URL"),
        (lambda handler: send(handler, b"x" * 3000), "more than the 2000 bytes"),
        (lambda handler: handler.wfile.write(b"nonsense\r\n\r\n"), "cannot be read"),
    ],
)
def test_a_url_that_answers_something_else_is_unreadable(answer, message):
    with pytest.raises(Unreadable, match=message):
        fetch(answer, Reader(LOOPBACK, max_file_bytes=2000))


def test_a_redirect_is_followed():
    def answer(handler):
        if handler.path == "/x.yaml":
            send(handler, status=301, Location="/y.yaml")
        else:
            send(handler, b"a: 1")

    assert fetch(answer).data == b"a: 1"


def test_a_server_that_drips_its_answer_is_given_up():
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"x")
                handler.wfile.flush()
                time.sleep(0.05)
        except OSError:
            pass

    started = time.monotonic()
    with pytest.raises(Unreadable, match="longer than"):
        fetch(answer, Reader(LOOPBACK, total_seconds=0.5))
    assert time.monotonic() - started < 5


def test_nobody_listening_is_unreadable():
    with pytest.raises(Unreadable, match="cannot be read"):
        READER.read(Place("url", "http://127.0.0.1:1/x.yaml"), Known("x"))
