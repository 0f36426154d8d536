"""The scaffolder's kind Template, beyond its plain fields. Pure.

Source: Template.v1beta3 of @backstage/plugin-scaffolder-common 2.3.0.
"""

from typing import Any

from catalog.format.schemas import SpecSchema

TEMPLATE_KIND = "Template"
TEMPLATE_VERSION = "scaffolder.backstage.io/v1beta3"

_TEXT: dict[str, Any] = {"type": "string"}
_SOME_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_CONDITION: dict[str, Any] = {"type": ["string", "boolean"]}
_MAPPING: dict[str, Any] = {"type": "object"}


def _mapping(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_PERMISSIONS = {"backstage:permissions": _mapping(tags=_list(_TEXT))}
_STEP = {
    **_mapping(id=_TEXT, name=_TEXT, action=_TEXT, input=_MAPPING, **{"if": _CONDITION}, **_PERMISSIONS),
    "required": ["action"],
}
_LINK = _mapping(url=_SOME_TEXT, entityRef=_SOME_TEXT, title=_SOME_TEXT, icon=_SOME_TEXT, **{"if": _CONDITION})
_NOTE = _mapping(title=_SOME_TEXT, icon=_SOME_TEXT, content=_TEXT, **{"if": _CONDITION})
_DECORATORS = _list(_mapping(id=_TEXT, input=_MAPPING))
_BUTTONS = _mapping(backButtonText=_TEXT, createButtonText=_TEXT, reviewButtonText=_TEXT)

TEMPLATE_SCHEMA = SpecSchema(
    {
        **_mapping(
            parameters={"type": ["object", "array"], "properties": _PERMISSIONS, "items": _mapping(**_PERMISSIONS)},
            secrets=_mapping(schema=_MAPPING),
            presentation=_mapping(buttonLabels=_BUTTONS),
            EXPERIMENTAL_recovery=_mapping(EXPERIMENTAL_strategy=_TEXT),
            formDecorators=_DECORATORS,
            EXPERIMENTAL_formDecorators=_DECORATORS,
            steps=_list(_STEP),
            output={**_mapping(links=_list(_LINK), text=_list(_NOTE)), "additionalProperties": _TEXT},
        ),
        "required": ["steps"],
    }
)
"""What the fields `type`, `owner` and `lifecycle` do not say."""
