"""The fields of an answer."""

import orjson
import pytest

from catalog.querying.projection import MAX_FIELDS, parse_fields, project
from portal_backend.core.errors import InvalidInput

OTHER = {"other": "o"}
ENTITY = {
    "kind": "Component",
    "metadata": {
        "name": "a",
        "annotations": {"backstage.io/edit-url": "e", "backstage": "x", "other": "o"},
        "tags": ["java"],
        "links": [{"url": "u"}],
    },
    "spec": {"nothing": None, "profile": {"email": "m"}},
}


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        (["kind", "metadata.name"], {"kind": "Component", "metadata": {"name": "a"}}),
        (["spec"], {"spec": ENTITY["spec"]}),
        (["metadata.annotations.backstage.io/edit-url"], {"metadata": {"annotations": {"backstage.io/edit-url": "e"}}}),
        (["metadata.annotations.other", "metadata.tags"], {"metadata": {"annotations": OTHER, "tags": ["java"]}}),
        (["metadata.links.url", "metadata.nothing", "nothing", "kind.x", "metadata.", "Kind"], {}),
        (["spec.nothing", "spec.profile.email"], {"spec": {"nothing": None, "profile": {"email": "m"}}}),
        (["spec.profile", "spec.profile.email"], {"spec": {"profile": {"email": "m"}}}),
    ],
)
def test_fields_keep_values_and_subtrees_and_nothing_else(fields, kept):
    assert orjson.loads(project(orjson.dumps(ENTITY), parse_fields(fields))) == kept


def test_no_field_keeps_everything():
    assert orjson.loads(project(orjson.dumps(ENTITY), parse_fields([" ", ""]))) == ENTITY


@pytest.mark.parametrize("fields", [["metadata.links[0].url"], [str(number) for number in range(MAX_FIELDS + 1)]])
def test_fields_into_lists_and_too_many_are_refused(fields):
    with pytest.raises(InvalidInput):
        parse_fields(fields)
