"""The connector that the page for authors shows keeps the rules that the page sets."""

import re
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from types import ModuleType

import pytest

from plugins import conformance

PAGE = Path(__file__).parents[2] / "docs" / "writing-connectors.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(), re.DOTALL)


def shown(language: str, word: str) -> str:
    """Return the page's one block of a language in which a word stands."""
    (block,) = [text for kind, text in BLOCKS if kind == language and word in text]
    return block


@pytest.fixture(scope="module")
def case() -> Iterator[conformance.Case]:
    """The case of the page's test, about the page's connector."""
    package, test = ModuleType("my_package"), ModuleType("test_my_package")
    exec(shown("python", "class MySystem"), package.__dict__)
    sys.modules["my_package"] = package
    try:
        exec(shown("python", "conformance.Case("), test.__dict__)
        yield test.CASE
    finally:
        del sys.modules["my_package"]


@pytest.mark.parametrize("scenario", conformance.scenarios())
def test_the_shown_connector_conforms(case: conformance.Case, scenario: str) -> None:
    conformance.verify(case, scenario)


def test_the_shown_entry_point_is_of_the_connectors_name(case: conformance.Case) -> None:
    shown_setup = ConfigParser()
    shown_setup.read_string(shown("ini", "entry_points"))
    entry = shown_setup["options.entry_points"]["portal_backend.connectors"].strip()
    assert entry == f"{case.connector.name} = my_package:CONNECTOR"
    assert shown_setup["options"]["py_modules"] == "my_package"
