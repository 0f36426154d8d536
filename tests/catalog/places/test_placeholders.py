"""`$text`, `$json` and `$yaml`: filled in, bounded, and noticed when what they name changes."""

import pytest

from catalog.ingestion.following import read_location
from catalog.ingestion.reading import Reader
from catalog.places.hosts import AllowedHost, UrlPolicy
from tests.catalog.samples import component, remembered
from tests.catalog.test_reading import send, serving

LOOPBACK = UrlPolicy((AllowedHost("127.0.0.1:*"),))
API = (
    "apiVersion: backstage.io/v1alpha1\nkind: API\nmetadata: {name: api}\n"
    "spec: {type: openapi, lifecycle: production, owner: team-a, definition: {$text: ./api.txt},"
    " x: [{$json: ./x.json}], y: {$yaml: ./y.yml}, schema: {$ref: '#/a'}}\n"
)
CONTENTS = {"api.yaml": API, "api.txt": "openapi: 3.1.0\n", "x.json": '{"a": [1, null]}', "y.yml": "no: 2020-01-01\n"}


def write(folder, **more: str):
    for name, text in {**CONTENTS, **more}.items():
        (folder / name).write_text(text)
    return str(folder / "api.yaml")


def entity(reading):
    ((document,),) = [file.documents for file in reading.files]
    return document.entity


def test_placeholders_are_filled_in_wherever_they_stand(tmp_path):
    reading = read_location(Reader(), "file", write(tmp_path), {})
    spec = entity(reading)["spec"]
    assert reading.faults == []
    assert (spec["definition"], spec["x"], spec["y"]) == ("openapi: 3.1.0\n", [{"a": [1, None]}], {"no": "2020-01-01"})
    assert spec["schema"] == {"$ref": "#/a"}


def test_a_change_of_what_is_named_is_noticed_though_the_file_stays(tmp_path):
    target = write(tmp_path)
    known = remembered(read_location(Reader(), "file", target, {}))
    assert [file.unchanged for file in read_location(Reader(), "file", target, known).files] == [True]
    (tmp_path / "api.txt").write_text("openapi: 3.2.0\n")
    assert entity(read_location(Reader(), "file", target, known))["spec"]["definition"] == "openapi: 3.2.0\n"
    (tmp_path / "api.txt").unlink()
    reading = read_location(Reader(), "file", target, known)
    assert entity(reading) is None
    assert [fault.path for fault in reading.faults] == ["spec.definition"]


def test_over_http_each_place_is_asked_with_its_own_etag():
    contents, asked = dict(CONTENTS), []

    def answer(handler):
        name = handler.path.removeprefix("/")
        body, etag = contents[name].encode(), f'"{hash(contents[name])}"'
        same = handler.headers.get("If-None-Match") == etag
        asked.append((name, same))
        send(handler, b"" if same else body, 304 if same else 200, ETag=etag)

    with serving(answer) as url:
        reader = Reader(LOOPBACK)
        known = remembered(read_location(reader, "url", f"{url}/api.yaml", {}))
        asked.clear()
        assert read_location(reader, "url", f"{url}/api.yaml", known).files[0].unchanged
        assert sorted(asked) == [("api.txt", True), ("api.yaml", True), ("x.json", True), ("y.yml", True)]
        contents["y.yml"] = "new: 1"
        assert entity(read_location(reader, "url", f"{url}/api.yaml", known))["spec"]["y"] == {"new": 1}


@pytest.mark.parametrize(
    ("more", "path", "message"),
    [
        ({"x.json": "{"}, "spec.x[0]", "is no JSON"),
        ({"x.json": "[" * 200 + "]" * 200}, "spec.x[0]", "nested more than"),
        ({"x.json": "[" + "1," * 200_000 + "1]"}, "spec.x[0]", "more than"),
        ({"x.json": '"a\\u0000b"'}, "spec.x[0]", "NUL"),
        ({"x.json": '{"a\\u0000": 1}'}, "spec.x[0]", "NUL"),
        ({"y.yml": "a: 1\n---\nb: 2\n"}, "spec.y", "one YAML document, but holds 2"),
        ({"y.yml": "a: &a [1]\nb: [" + "*a," * 200 + "]\n"}, "spec.y", "too often"),
        ({"y.yml": "a: 1\na: 2\n"}, "spec.y", "stands twice"),
        ({"api.txt": "a\0b"}, "spec.definition", "NUL"),
        ({"api.yaml": API.replace("./api.txt", "../../../../../../etc/passwd")}, "spec.definition", "may not be read"),
        ({"api.yaml": API.replace("./api.txt", "http://169.254.169.254/x")}, "spec.definition", "private network"),
        ({"api.yaml": API.replace("./api.txt", "[1]")}, "spec.definition", "must name a file"),
        ({"api.yaml": API.replace("./api.txt", "gone.txt")}, "spec.definition", "No such file"),
    ],
)
def test_one_that_cannot_be_filled_in_is_a_fault_of_its_field(tmp_path, more, path, message):
    reading = read_location(Reader(), "file", write(tmp_path, **more), {})
    assert [(fault.path, fault.ref) for fault in reading.faults] == [(path, "api:default/api")]
    assert message in reading.faults[0].message


def test_a_file_may_not_hold_endlessly_many(tmp_path):
    many = "".join(f"  p{number}: {{$text: ./api.txt}}\n" for number in range(101))
    (tmp_path / "a.yaml").write_text(component("a", spec=many))
    (tmp_path / "api.txt").write_text("x")
    (fault,) = read_location(Reader(), "file", str(tmp_path / "a.yaml"), {}).faults
    assert (fault.path, "more than 100 placeholders" in fault.message) == ("spec.p100", True)
