"""What Cortex' query language asks of files, as entries of the option `files` and conditions on their facts. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scorecards.importing import plain_jq
from scorecards.importing.cql_conditions import Facts, Untranslatable
from scorecards.importing.cql_words import leaf
from scorecards.importing.drafts import declared
from scorecards.importing.repository_files import NotRead, beginning, by_jq, ending, entry, whole


@dataclass
class Files:
    """The entries of one expression."""

    facts: Facts
    """The types of the facts that the expression needs, where those of files are noted too."""
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)

    def there(self, path: str, *, is_wanted: bool) -> dict[str, Any]:
        """Return the condition that there is a file. Raises Untranslatable."""
        found = self._asked(path)
        return found if is_wanted else {"not": found}

    def holding(self, path: str, word: str, text: str) -> dict[str, Any]:
        """Return the condition of a test such as `.matches("…")` on a file's content. Raises Untranslatable."""
        tests = {
            "contains": {"contains": text},
            "matchesin": {"matches": text},
            "matches": {"matches": whole(text)},
            "startswith": {"matches": beginning(text)},
            "endswith": {"matches": ending(text)},
        }
        return self._asked(path, text, **tests[word])

    def by_jq(self, path: str, program: str, sign: str, value: Any) -> dict[str, Any]:
        """Return the condition of a program of jq over a file, compared with a value. Raises Untranslatable."""
        try:
            asked = plain_jq.read(program)
            return by_jq(path, plain_jq.compared(asked, sign, value, program) if sign else asked, self._note)
        except (plain_jq.NotPlain, NotRead) as reason:
            raise Untranslatable(f"the jq program `{program}` would have to be run: {reason}") from None

    def _asked(self, path: str, name: str = "", **asked: Any) -> dict[str, Any]:
        try:
            return leaf(self._note(entry(path, name, **asked)), "equal", True)
        except NotRead as reason:
            raise Untranslatable(f"of the file {path}: {reason}") from None

    def _note(self, asked: Mapping[str, Any]) -> str:
        key, number = str(asked["fact"]), 1
        made = {**asked, "fact": key}
        while self.entries.get(made["fact"], made) != made:
            number += 1
            made["fact"] = f"{key}_{number}"
        self.entries[made["fact"]] = made
        self.facts.setdefault(made["fact"], declared(made).type.value)
        return str(made["fact"])
