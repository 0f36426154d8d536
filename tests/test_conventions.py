"""Promises of the documentation about all of the code: dependencies, settings, links, and what a log line says."""

import ast
import re
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest
from marshmallow import Schema, fields

from catalog.settings_schemas import CatalogSettingsSchema
from engagements.capacity.schemas import CapacitySettingsSchema
from engagements.settings_schemas import IncidentSettingsSchema, LifecycleSettingsSchema, ReviewSettingsSchema
from engagements.triage_schemas import TriageSettingsSchema
from plugins.settings import CollectingSettingsSchema
from portal_backend.core.config_schema import ConfigSchema
from scorecards.exceptions.settings import ExceptionSettingsSchema
from scorecards.retention import RetentionSettingsSchema
from scorecards.webhooks.settings import SettingsSchema as WebhookSettingsSchema

ROOT = Path(__file__).parents[1]
PACKAGES = ("portal_backend", "plugins", "catalog", "scorecards", "engagements")
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
LISTS_OF_CATALOG = (ROOT / "docs" / "catalog.md").read_text()
"""What may stand in the lists below `catalog:`."""
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
SETTINGS = (
    ConfigSchema,
    CatalogSettingsSchema,
    CapacitySettingsSchema,
    IncidentSettingsSchema,
    LifecycleSettingsSchema,
    ReviewSettingsSchema,
    TriageSettingsSchema,
    CollectingSettingsSchema,
    ExceptionSettingsSchema,
    RetentionSettingsSchema,
    WebhookSettingsSchema,
)


def keys(schema: Schema) -> Iterator[str]:
    """Yield the keys of a part of portal.yaml, and those below them that have a schema of their own."""
    for name, field in schema.fields.items():
        yield field.data_key or name
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, fields.Nested):
            yield from keys(inner.schema)


@pytest.mark.parametrize("part", SETTINGS, ids=lambda part: f"{part.__module__}.{part.__name__}")
def test_every_setting_is_documented(part):
    named = CONFIGURATION + LISTS_OF_CATALOG
    assert [key for key in keys(part()) if not re.search(rf"(?<!\w){re.escape(key)}(?!\w)", named)] == []


def test_every_dependency_is_told_with_what_it_does_for_us():
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = setup["options.extras_require"]
    needed = "\n".join((setup["options"]["install_requires"], extras["planner"], extras["redis"]))
    names = [re.match(r"[\w-]+", line)[0] for line in needed.split("\n") if line]
    architecture = (ROOT / "docs" / "architecture.md").read_text()
    table = architecture[architecture.index("## Parts that others keep") :]
    assert [name for name in names if name.lower() not in table.lower()] == []


def test_every_link_of_the_documentation_leads_somewhere():
    dead = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#\s]+)[^)\s]*\)", page.read_text())
        if not target.startswith(("http://", "https://")) and not (page.parent / target).exists()
    ]
    assert dead == []


def test_what_a_log_line_is_given_is_written():
    """The formatter writes what stands in `extra` under "portal", and nothing else."""
    lost = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        for keyword in call.keywords
        if keyword.arg == "extra"
        and isinstance(keyword.value, ast.Dict)
        and [ast.unparse(key) for key in keyword.value.keys if key] != ["'portal'"]
    ]
    assert lost == []
