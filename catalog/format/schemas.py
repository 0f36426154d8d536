"""JSON Schema checks of an entity's `spec`, told as faults in our words. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from catalog.format.envelope import must_be
from portal_backend.core.faults import Fault

MAX_MESSAGE = 300
"""Characters of a message that is the schema library's own."""

TYPE_WORDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "a string",
    "boolean": "a boolean",
    "number": "a number",
    "integer": "a whole number",
    "null": "empty",
}


class SpecSchema:
    """A JSON Schema (draft 7) of `spec`; it may refer to parts of itself, and to nothing else."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Take the schema; it is compiled when the first entity needs it."""
        self.document = document

    def check(self, spec: Any) -> Iterator[Fault]:
        """Yield every fault of a value."""
        seen: set[Fault] = set()
        for error in self._validator.iter_errors(spec):
            for fault in _faults(error):
                if fault not in seen:
                    seen.add(fault)
                    yield fault

    def faults(self) -> list[Fault]:
        """Return what is wrong with the schema itself, paths counted from its root."""
        from jsonschema.exceptions import SchemaError

        try:
            type(self._validator).check_schema(self.document)
        except SchemaError as error:
            return [Fault(_path("", error.absolute_path), f"is no JSON Schema: {error.message[:MAX_MESSAGE]}")]
        return [
            Fault("$ref", f"refers to {ref!r}, which is not in the schema; write the part out, or below definitions")
            for ref in sorted(set(_references(self.document)))
            if not self._has(ref)
        ]

    @cached_property
    def _validator(self) -> Any:
        from jsonschema import Draft7Validator
        from referencing import Registry

        return Draft7Validator(self.document, registry=Registry())

    def _has(self, ref: str) -> bool:
        """Say whether a reference leads to a part of the schema."""
        value: Any = self.document
        if not ref.startswith("#"):
            return False
        for part in ref[1:].split("/")[1:]:
            if not isinstance(value, Mapping) or part not in value:
                return False
            value = value[part]
        return isinstance(value, Mapping | bool) and (ref == "#" or ref.startswith("#/"))


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(schema, list | tuple):
        for item in schema:
            yield from _references(item)


def _faults(error: Any) -> Iterator[Fault]:
    path = _path("spec", error.absolute_path)
    if error.validator == "required":
        for name in error.validator_value:
            if name not in error.instance:
                yield Fault(f"{path}.{name}", "is missing")
    elif error.validator == "type":
        types = [error.validator_value] if isinstance(error.validator_value, str) else error.validator_value
        yield must_be(path, " or ".join(TYPE_WORDS[type_] for type_ in types), error.instance)
    elif error.validator == "minLength" and not error.instance:
        yield Fault(path, "must not be empty")
    elif error.validator == "enum":
        yield Fault(path, f"must be one of {', '.join(map(str, error.validator_value))}"[:MAX_MESSAGE])
    else:
        yield Fault(path, f"breaks the rules of this kind: {error.message[:MAX_MESSAGE]}")


def _path(start: str, parts: Iterable[str | int]) -> str:
    path = start
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path
