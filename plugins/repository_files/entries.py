"""What may be set under `files:` of a source: which facts are read of which files, checked whole when it is loaded."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from plugins.contract import AnnotationSpec, FactSpec, FactType
from plugins.repositories import spec
from plugins.repository_files.structured import FORMATS, MANY, format_of, steps_of
from portal_backend.core.regex import BadRegex, Regex

KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-zA-Z0-9_]+)+")
MAX_ENTRIES = 100
MAX_PATHS = 10
"""Of one entry."""
MAX_PATH = 200
"""Characters."""
QUESTIONS = ("contains", "matches", "has", "value", "capture")
"""What is asked of a file; at most one. Without any of them the fact is whether there is such a file, or which ones."""
TYPED = ("value", "capture")
LOCATION = AnnotationSpec(
    "backstage.io/source-location",
    "Where its source lies; the folder in it is where the paths of the option `files` begin.",
    "url:https://code.example/shop/checkout/tree/main/services/checkout/",
)
WILD = re.compile(r"[*?]")


@dataclass(frozen=True)
class Entry:
    """A fact, and where it is read."""

    fact: str
    paths: Sequence[str]
    """Below the folder of the service; one that begins with a slash, below the repository itself."""
    type: FactType
    unit: str = ""
    description: str = ""
    contains: str = ""
    matches: Regex | None = None
    capture: Regex | None = None
    has: Sequence[str] | None = None
    """The steps of a JSON pointer."""
    value: Sequence[str] | None = None
    format: str = ""
    """Of the files, where their names do not tell it."""
    asked: str = field(default="", compare=False)
    """What is asked, in words."""

    @property
    def needs_text(self) -> bool:
        """Whether the files have to be read, and not only found."""
        return bool(self.contains) or any(one is not None for one in (self.matches, self.capture, self.has, self.value))

    def spec(self) -> FactSpec:
        """Return the fact that the entry declares."""
        where = " or ".join(self.paths)
        return spec(self.fact, self.type, self.unit, self.description or f"{self.asked} {where}"[:300])


def _checked_path(path: str) -> None:
    steps = path.removeprefix("/").split("/")
    if path.endswith("/"):
        raise ValidationError(f"{path!r} is a folder; write {path}* for any file right in it")
    if not all(steps) or {".", ".."} & set(steps):
        raise ValidationError(f"{path!r} is no path inside a repository; write docs/README.md, or /README.md")
    if not path.isprintable() or "\\" in path:
        raise ValidationError(f"{path!r} holds signs that no path has here; write it with slashes")
    if any(WILD.search(step) for step in steps[:-1]) or "**" in path:
        raise ValidationError(f"{path!r}: `*` and `?` may stand in the file's own name only; name the folders")


class Paths(fields.Field[list[str]]):
    """One path, or several of which the first that is there counts."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[str]:
        given = [value] if isinstance(value, str) else value
        if not isinstance(given, list) or not given or not all(isinstance(one, str) and one for one in given):
            raise ValidationError("must be a path, or a list of paths")
        if len(given) > MAX_PATHS:
            raise ValidationError(f"at most {MAX_PATHS} paths may stand here")
        for path in given:
            if len(path) > MAX_PATH:
                raise ValidationError(f"a path has at most {MAX_PATH} characters")
            _checked_path(path)
        return given


class Pattern(fields.String):
    """A regular expression of RE2, whose `^` and `$` tie it to a line."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return Regex(f"(?m){text}")
        except BadRegex as error:
            raise ValidationError(str(error).replace("(?m)", "", 1)) from None


class Pointer(fields.String):
    """A JSON pointer; a step `*` stands for every member."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return steps_of(text)
        except ValueError as error:
            raise ValidationError(str(error)) from None


class EntrySchema(Schema):
    """One fact that is read of files."""

    fact = fields.String(
        required=True,
        validate=validate.Regexp(
            re.compile(rf"(?:{KEY.pattern})\Z"), error="must be words joined by dots: repo.file.readme"
        ),
    )
    path = Paths(required=True)
    contains = fields.String(validate=validate.Length(1, 300))
    matches = Pattern()
    capture = Pattern()
    has = Pointer()
    value = Pointer()
    type = fields.Enum(FactType, by_value=True)
    unit = fields.String(load_default="", validate=validate.Length(max=40))
    description = fields.String(load_default="", validate=validate.Length(max=300))
    format = fields.String(load_default="", validate=validate.OneOf(FORMATS))

    @validates_schema(skip_on_field_errors=True)
    def fit_together(self, data: Mapping[str, Any], **_: Any) -> None:
        """Say which keys do not go together."""
        asked = [name for name in QUESTIONS if name in data]
        faults: dict[str, list[str]] = {}
        if len(asked) > 1:
            faults[asked[1]] = [
                f"stands beside {asked[0]}; ask one thing of a file, and the other as a fact of its own"
            ]
        kind = data.get("type")
        if (
            kind
            and not set(asked) & set(TYPED)
            and kind is not FactType.BOOLEAN
            and (asked or kind is not FactType.SET)
        ):
            faults["type"] = ["what is asked here is answered by yes or no: boolean; leave the type out"]
        if "value" in data and MANY in data["value"] and kind is not FactType.SET:
            faults["value"] = ["has a step `*`, which stands for many values; add `type: set`"]
        if {"has", "value"} & set(asked) and not data["format"]:
            unknown = [path for path in data["path"] if not format_of(path)]
            if unknown:
                known = ", ".join(FORMATS)
                faults["format"] = [
                    f"the name of {unknown[0]} does not tell how to read it; add format: one of {known}"
                ]
        if "capture" in data and kind is FactType.BOOLEAN:
            faults["type"] = ["what is captured is no boolean; write matches in the place of capture"]
        if faults:
            raise ValidationError(faults)

    @post_load
    def made(self, data: dict[str, Any], **_: Any) -> Entry:
        """Return the entry."""
        asked = next((name for name in QUESTIONS if name in data), "")
        usual = FactType.STRING if asked in TYPED else FactType.BOOLEAN
        paths = data.pop("path")
        return Entry(paths=paths, type=data.pop("type", None) or usual, asked=_words(asked, data), **data)


def _words(asked: str, data: Mapping[str, Any]) -> str:
    """Say what is asked, as the beginning of a fact's description."""
    pattern = data[asked].pattern.removeprefix("(?m)") if asked in {"matches", "capture"} else ""
    pointer = "/" + "/".join(data[asked]) if asked in {"has", "value"} else ""
    words = {
        "": "There is",
        "contains": f"{data.get('contains')!r} stands in",
        "matches": f"{pattern!r} fits in",
        "capture": f"What {pattern!r} captures in",
        "has": f"There is {pointer} in",
        "value": f"{pointer} of",
    }
    return words[asked]


def option(own: Callable[[], Collection[str]]) -> fields.List[Any]:
    """Return the option `files`; `own` names the facts that every source of the connector reads itself."""

    def distinct(entries: Sequence[Entry]) -> None:
        keys = [entry.fact for entry in entries]
        taken = own()
        faults: dict[int, dict[str, list[str]]] = {}
        for number, key in enumerate(keys):
            if key in taken:
                faults[number] = {"fact": [f"{key} is read by the source itself; choose another key"]}
            elif key in keys[:number]:
                faults[number] = {"fact": [f"{key} stands here twice; choose another key"]}
        if faults:
            raise ValidationError(faults)

    return fields.List(
        fields.Nested(EntrySchema),
        load_default=list,
        validate=[validate.Length(max=MAX_ENTRIES), distinct],
        metadata={"description": "Facts out of files of the repository: fact, path, and what is asked of the file."},
    )


def declared(options: Mapping[str, Any]) -> list[FactSpec]:
    """Return the facts that the loaded option `files` of a source declares."""
    return [entry.spec() for entry in options.get("files", [])]
