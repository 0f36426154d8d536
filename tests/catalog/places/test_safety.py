"""What may be read: hosts, paths, addresses behind names, files below roots."""

import gzip
import socket
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pytest

from catalog.ingestion.following import read_location
from catalog.ingestion.reading import Place, Reader, Unreadable
from catalog.places.files import FilePolicy
from catalog.places.globs import PathPattern
from catalog.places.hosts import AllowedHost, UrlPolicy, is_host_pattern
from catalog.settings import CatalogSettings, registration_refusal
from tests.catalog.samples import component, files
from tests.catalog.test_reading import location, refs, send, serving

LOOPBACK = AllowedHost("127.0.0.1:*")


@contextmanager
def names(monkeypatch, **addresses: list[str]):
    """Let names lead to addresses, one after the other at each question."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host, port, *rest, **more):
        if host not in addresses:
            return real(host, port, *rest, **more)
        asked.append(host)
        given = addresses[host]
        address = given[min(asked.count(host), len(given)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr("portal_backend.core.addresses.socket.getaddrinfo", getaddrinfo)
    yield asked


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x", "http://127.1/x", "http://2130706433/x", "http://0x7f.1/x", "http://localhost/x",
        "http://[::1]/x", "http://[::ffff:127.0.0.1]/x", "http://[64:ff9b::7f00:1]/x", "http://0.0.0.0/x",
        "http://10.1.2.3/x", "http://192.168.1.1/x", "http://172.16.0.1/x", "http://100.64.0.1/x",
        "http://169.254.169.254/latest/meta-data", "http://metadata.google.internal/x", "http://100.100.100.200/x",
        "http://224.0.0.1/x", "http://printer.local/x", "http://localhost./x", "http://[::127.0.0.1]/x",
        "http://[fec0::1]/x", "http://[64:ff9b:1::7f00:1]/x", "http://[::ffff:0:7f00:1]/x", "http://168.63.129.16/x",
    ],
)  # fmt: skip
def test_nothing_of_the_inside_is_read_by_default(url):
    with pytest.raises(Unreadable, match="private network|never read"):
        Reader(total_seconds=2).read(Place("url", url))


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com/x", "file:///etc/passwd", "http:///x", "http://u:p@example.com/x", "http://example.com:0x/",
     "http://exämple.com/x", "http://example.com/a b", "http://example.com\\@10.0.0.1/", "http://example.com/%2e%2e/x",
     "http://example.com/a/%252e%252e/x", "gopher://example.com"],
)  # fmt: skip
def test_what_is_no_plain_http_address_is_refused(url):
    assert UrlPolicy().refusal(url) is not None


def test_with_an_allow_list_nothing_else_is_read():
    policy = UrlPolicy(
        (AllowedHost("example.com", ("/catalog/",)), AllowedHost("*.example.org"), AllowedHost("a:8443"))
    )
    assert policy.refusal("https://EXAMPLE.com./catalog/x.yaml") is None
    assert policy.refusal("https://deep.down.example.org/x") is None
    assert policy.refusal("https://a:8443/x") is None
    for url in (
        "https://example.com/catalog", "https://example.com/other/x", "https://example.com:8443/catalog/x",
        "https://example.org/x", "https://notexample.org/x", "https://a/x", "https://b:8443/x",
    ):  # fmt: skip
        assert "may not be read" in policy.refusal(url), url


def test_a_name_that_leads_inside_is_refused_unless_it_stands_in_the_list(monkeypatch):
    with names(monkeypatch, **{"inside.example": ["10.0.0.1"], "meta.example": ["169.254.169.254"]}):
        for policy in (UrlPolicy(), UrlPolicy((AllowedHost("*.example"),))):
            with pytest.raises(Unreadable, match="leads to 10.0.0.1, an address of a private network"):
                policy.addresses("inside.example", 443, "https")
        assert UrlPolicy((AllowedHost("inside.example"),)).addresses("inside.example", 443, "https") == ["10.0.0.1"]
        with pytest.raises(Unreadable, match="never read"):
            UrlPolicy((AllowedHost("meta.example"),)).addresses("meta.example", 443, "https")


def test_a_name_is_resolved_once_and_the_connection_made_to_what_was_checked(monkeypatch):
    """A name that answers with another address the second time (DNS rebinding) gains nothing."""
    hosts: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        hosts.append(handler.headers["Host"])
        send(handler, b"a: 1")

    with serving(answer) as url, names(monkeypatch, **{"rebound.example": ["127.0.0.1", "10.0.0.1"]}) as asked:
        port = int(url.rpartition(":")[2])
        policy = UrlPolicy((AllowedHost("rebound.example:*"),))
        assert Reader(policy).read(Place("url", f"http://rebound.example:{port}/x")).data == b"a: 1"
    assert asked == ["rebound.example"]
    assert hosts == [f"rebound.example:{port}"]


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.2:{port}/x", "http://localhost:{port}/x", "http://169.254.169.254/x", "file:///etc/passwd"],
)
def test_a_redirect_is_checked_like_the_first_address(target):
    def answer(handler: BaseHTTPRequestHandler) -> None:
        send(handler, status=302, Location=target.format(port=handler.server.server_port))

    told = "/x redirects.*(not among the allowed|no http or https)"
    with serving(answer) as url, pytest.raises(Unreadable, match=told):
        Reader(UrlPolicy((LOOPBACK,))).read(Place("url", f"{url}/x"))


def test_an_environment_proxy_or_netrc_is_not_used(monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password s3cret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    seen: list[str | None] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers.get("Authorization"))
        send(handler, b"a: 1")

    with serving(answer) as url:
        assert Reader(UrlPolicy((LOOPBACK,))).read(Place("url", f"{url}/x")).data == b"a: 1"
    assert seen == [None]


def test_an_unpacked_answer_counts_against_the_limit():
    body = gzip.compress(b"x" * 1_000_000)
    with (
        serving(lambda handler: send(handler, body, Content_Encoding="gzip")) as url,
        pytest.raises(Unreadable, match="more than the 5000 bytes"),
    ):
        Reader(UrlPolicy((LOOPBACK,)), max_file_bytes=5000).read(Place("url", f"{url}/x"))


def test_a_location_whose_servers_are_slow_is_given_up_as_a_whole(monkeypatch):
    monkeypatch.setattr("catalog.ingestion.reading.LOCATION_SECONDS", 0.6)
    asked: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        if handler.path == "/all.yaml":
            many = ", ".join(f"./{number}.yaml" for number in range(50))
            send(handler, location("all", f"{{targets: [{many}]}}").encode())
        else:
            time.sleep(0.2)
            send(handler, component(f"c{handler.path[1:-5]}").encode())

    with serving(answer) as url:
        reading = read_location(Reader(UrlPolicy((LOOPBACK,))), "url", f"{url}/all.yaml", {})
    assert not reading.complete
    assert "longer than" in reading.faults[-1].message
    assert len(asked) < 10


@pytest.mark.parametrize("text", ["example.com", "*.example.com", "example.com:8443", "10.0.0.1:*", "::1", "[::1]:80"])
def test_a_host_of_the_list_may_be_written(text):
    assert is_host_pattern(text)


@pytest.mark.parametrize("text", ["", "*", "https://x", "x/y", "*.1.2.3.4", "x:0", "x:99999", "x:port", ".x", "a b"])
def test_a_host_of_the_list_may_not_be_written(text):
    assert not is_host_pattern(text)


def test_files_lie_below_the_roots_wherever_links_lead(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    files(inside, good=component("good"))
    files(outside, secret=component("secret"))
    (inside / "link.yaml").symlink_to(outside / "secret.yaml")
    reader = Reader(files=FilePolicy((str(inside),)))
    assert refs(read_location(reader, "file", str(inside / "good.yaml"), {})) == ["component:default/good"]
    for target in (outside / "secret.yaml", inside / "link.yaml", inside / ".." / "outside" / "secret.yaml", outside,
                   outside / "*.yaml"):  # fmt: skip
        assert "may not be read" in read_location(reader, "file", str(target), {}).error, target


def test_a_link_that_leads_to_itself_or_a_name_that_is_too_long_is_a_fault_of_its_own(tmp_path):
    files(tmp_path, good=component("good"))
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    reading = read_location(Reader(), "file", str(tmp_path / "*.yaml"), {})
    assert refs(reading) == ["component:default/good"]
    assert ["symbolic links" in fault.message for fault in reading.faults] in ([], [True])
    assert "too long" in read_location(Reader(), "file", str(tmp_path / ("a" * 300)), {}).error


def test_without_roots_a_location_leads_nowhere_outside_its_own_folder(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    files(tmp_path, secret=component("secret"))
    files(inside, all=location("all", "{targets: [../secret.yaml, ./a.yaml]}"), a=component("a"))
    reading = read_location(Reader(), "file", str(inside / "all.yaml"), {})
    assert refs(reading) == ["location:default/all", "component:default/a"]
    assert "catalog.reading.roots" in reading.faults[0].message


def test_a_registered_link_is_read_as_the_operator_meant_it(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "links").mkdir()
    files(tmp_path / "real", a=component("a"))
    (tmp_path / "links" / "a.yaml").symlink_to(tmp_path / "real" / "a.yaml")
    (tmp_path / "folder").symlink_to(tmp_path / "real")
    assert refs(read_location(Reader(), "file", str(tmp_path / "links" / "a.yaml"), {})) == ["component:default/a"]
    assert refs(read_location(Reader(), "file", str(tmp_path / "folder"), {})) == ["component:default/a"]


def test_files_are_not_registered_by_http_unless_configured():
    assert "must be of type url" in registration_refusal("file", "/etc/passwd", CatalogSettings())
    for host in ("10.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[fec0::1]"):
        assert "private network" in registration_refusal("url", f"http://{host}/x", CatalogSettings()), host
    assert "percent-encoded" in registration_refusal("url", "http://%31%32%37.0.0.1/x", CatalogSettings())
    assert registration_refusal("url", "https://github.com/o/r/blob/main/a.yaml", CatalogSettings()) is None
    open_to_files = CatalogSettings(files=FilePolicy(("/srv",)), registration_types=frozenset({"file"}))
    assert "lies outside /srv" in registration_refusal("file", "/etc/passwd", open_to_files)
    assert registration_refusal("file", "/srv/a.yaml", open_to_files) is None


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/a/*.yaml", "/a/b.yaml", True), ("/a/*.yaml", "/a/b/c.yaml", False), ("/a/**", "/a/b/c.yaml", True),
        ("/a/**/c.yaml", "/a/c.yaml", True), ("**/c.yaml", "c.yaml", True), ("**/c.yaml", "x/y/c.yaml", True),
        ("a/**/**/c", "a/x/c", True), ("?.yaml", "a.yaml", True), ("[!a].yaml", "a.yaml", False), ("**", "a/b", True),
    ],
)  # fmt: skip
def test_a_pattern_means_what_it_looks_like(pattern, path, fits):
    assert PathPattern(pattern).fits(path) is fits


def test_no_pattern_makes_comparing_slow():
    assert not PathPattern("/".join(["**", "*a*a*a*a*a*a*b"] * 50)).fits("/".join(["a" * 100] * 100))
