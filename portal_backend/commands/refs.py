"""Services as people name them at the command line."""

from catalog.format.refs import BadReference, parse_ref
from portal_backend.core.errors import InvalidInput


def service_ref(text: str) -> str:
    """Return the reference that `checkout` or `component:default/checkout` means; raises InvalidInput."""
    try:
        return str(parse_ref(text, default_kind="component"))
    except BadReference as error:
        raise InvalidInput(str(error)) from error
