"""JSON shapes of sources, runs, connectors and fact specs."""

from marshmallow import Schema, fields

from portal_backend.core.http import Moment


class PullFaultSchema(Schema):
    """A part of a pull that failed while the rest went on."""

    scope = fields.String(metadata={"description": "What could not be read: a query, a page, an application."})
    message = fields.String()


class SourceSchema(Schema):
    """A configured source and how it is doing."""

    name = fields.String()
    plugin = fields.String(metadata={"description": "The connector that reads it."})
    simulated = fields.Boolean(metadata={"description": "Not a real system: its data is made up for demonstration."})
    state = fields.String(
        metadata={
            "description": "`ok`, `failing` (the last run failed), `running`, `interrupted` (the last run fell silent: "
            "its worker was killed, or it hung), `overdue` (the last run went well, and the next one is long due: "
            "no worker runs, or they have no time) or `never_ran`."
        }
    )
    last_success_at = Moment(allow_none=True)
    last_attempt_at = Moment(allow_none=True)
    failure_kind = fields.String(
        allow_none=True,
        metadata={
            "description": "Why the last finished run failed: `unreachable`, `timeout`, `credentials`, `permission`, "
            "`rate_limited`, `bad_answer` or `misconfigured`; null when it did not."
        },
    )
    failure_message = fields.String(allow_none=True)
    consecutive_failures = fields.Integer(metadata={"description": "Failed runs since the last good one."})
    circuit = fields.String(
        metadata={
            "description": "`closed` (asked whenever it is due), `open` (left alone after repeated failures) or "
            "`half_open` (the next run asks once; an answer closes it)."
        }
    )
    circuit_opened_at = Moment(allow_none=True)
    circuit_words = fields.String(metadata={"description": "The state of the circuit in a sentence."})
    reconciled_at = Moment(
        allow_none=True, metadata={"description": "When it was last read whole, rather than what was new in it."}
    )
    next_due_at = Moment(allow_none=True, metadata={"description": "Null: as soon as possible."})
    overdue_at = Moment(
        allow_none=True, metadata={"description": "From when on it is overdue unless a run ends before; null: never."}
    )
    is_overdue = fields.Boolean(
        metadata={"description": "No run has ended since; also while the late one is under way at last."}
    )
    every_seconds = fields.Integer(metadata={"description": "The interval between two good runs."})
    targets = fields.Integer(allow_none=True, metadata={"description": "Services the last good run asked about."})
    matched = fields.Integer(allow_none=True, metadata={"description": "Those of them that the source knows."})
    unmatched = fields.Integer(
        allow_none=True, metadata={"description": "Names in the source that no service of the catalog claims."}
    )
    unmatched_sample = fields.List(fields.String(), metadata={"description": "Some of these names."})
    faults = fields.Integer(
        allow_none=True, metadata={"description": "Parts of the last good run that failed while the rest went on."}
    )
    fault_sample = fields.List(fields.Nested(PullFaultSchema), metadata={"description": "Some of these parts."})
    facts = fields.Function(
        lambda health: sorted(health.facts),
        metadata={
            "type": "array",
            "items": {"type": "string"},
            "description": "Keys of the facts that the connector can supply.",
        },
    )


class SourceListSchema(Schema):
    """Every configured source, in the order of precedence."""

    items = fields.List(fields.Nested(SourceSchema))


class SourceRunSchema(Schema):
    """One run of a source."""

    id = fields.Integer()
    source = fields.String()
    state = fields.String(metadata={"description": "`running`, `ok`, `failed` or `interrupted`."})
    started_at = Moment()
    finished_at = Moment(allow_none=True, metadata={"description": "Null while it runs, or fell silent."})
    probe = fields.Boolean(
        allow_none=True, metadata={"description": "It tried a source that was left alone after repeated failures."}
    )
    reconcile = fields.Boolean(allow_none=True, metadata={"description": "It read the source whole."})
    requests = fields.Integer(metadata={"description": "HTTP requests sent to the source, retries included."})
    facts = fields.Integer(metadata={"description": "Observations stored."})
    events = fields.Integer(metadata={"description": "Events read; those already known are not stored again."})
    targets = fields.Integer(metadata={"description": "Services it asked about."})
    matched = fields.Integer(metadata={"description": "Those of them that the source knows."})
    unmatched = fields.Integer(metadata={"description": "Names in the source that no service claims."})
    unmatched_sample = fields.List(fields.String())
    faults = fields.Integer(metadata={"description": "Parts that failed while the rest went on."})
    fault_sample = fields.List(fields.Nested(PullFaultSchema))
    failure_kind = fields.String(allow_none=True)
    failure_message = fields.String(allow_none=True)


class SourceRunPageSchema(Schema):
    """Runs, newest first."""

    items = fields.List(fields.Nested(SourceRunSchema))
    next_cursor = fields.String(allow_none=True, metadata={"description": "Null on the last page."})


class FactSpecSchema(Schema):
    """A fact that connectors can supply."""

    key = fields.String()
    type = fields.String(
        metadata={"description": "`boolean`, `integer`, `number`, `string`, `datetime` or `set` (of strings)."}
    )
    unit = fields.String(metadata={"description": "Empty where the value has none."})
    description = fields.String()
    max_age_seconds = fields.Integer(metadata={"description": "An older observation is stale and decides nothing."})
    connectors = fields.List(fields.String(), metadata={"description": "Who can supply it."})


class FactSpecListSchema(Schema):
    """Every fact that the installed connectors declare, by key."""

    items = fields.List(fields.Nested(FactSpecSchema))


class AnnotationSchema(Schema):
    """An entity annotation that ties a service to a system."""

    key = fields.String()
    description = fields.String()
    example = fields.String(
        metadata={"description": "A value as it may stand in a catalog file; empty when none is given."}
    )
    needed = fields.Boolean(
        metadata={"description": "A service that carries none of those that are needed is not looked for."}
    )


class ConnectorSchema(Schema):
    """An installed connector."""

    name = fields.String(metadata={"description": "The word in `plugin:`."})
    title = fields.String(allow_none=True)
    fault = fields.String(allow_none=True, metadata={"description": "Why it cannot be used; null when it can."})
    annotations = fields.List(fields.Nested(AnnotationSchema))
    permissions = fields.List(
        fields.String(), metadata={"description": "What its credentials must be allowed to do, in the system's words."}
    )


class ConnectorListSchema(Schema):
    """Every installed connector, usable or not."""

    items = fields.List(fields.Nested(ConnectorSchema))
