"""JSON shapes of discovery."""

from marshmallow import Schema, fields

from portal_backend.core.http import Moment


class ProviderSchema(Schema):
    """A provider of portal.yaml and how its last run went."""

    name = fields.String()
    host = fields.String(allow_none=True)
    owner = fields.String(allow_none=True, metadata={"description": "The GitHub organisation or GitLab group."})
    configured = fields.Boolean(
        metadata={"description": "False: portal.yaml names it no more, and its locations wait to be let go."}
    )
    due_at = Moment(allow_none=True, metadata={"description": "When it is asked next; null before its first run."})
    last_attempt_at = Moment(allow_none=True)
    last_success_at = Moment(allow_none=True)
    last_error = fields.String(allow_none=True, metadata={"description": "Why the last run failed."})
    found = fields.Integer(metadata={"description": "Catalog files that the last good run found."})
    withheld = fields.Integer(
        metadata={"description": "Locations that it found no more, and that wait for a person's consent."}
    )
