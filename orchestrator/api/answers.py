"""The shapes of what the API answers, as its document describes them."""

from marshmallow import Schema, fields, validate


class ResultSchema(Schema):
    """What became of one event."""

    id = fields.String(required=True, allow_none=True)
    status = fields.String(
        required=True, validate=validate.OneOf(["accepted", "duplicate", "rejected", "retry"])
    )
    code = fields.String(required=True, allow_none=True)
    detail = fields.String(required=True, allow_none=True)


class ResultsSchema(Schema):
    """The answer to events, in input order."""

    results = fields.List(fields.Nested(ResultSchema), required=True)
    request_id = fields.UUID(required=True)
    received_at = fields.DateTime(required=True)


class EventStateSchema(Schema):
    """What a sender may know of its event; never a fact about a person."""

    id = fields.String(required=True)
    source = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(["received", "done", "rejected"]))
    request_id = fields.UUID(required=True)


class EventTypeSchema(Schema):
    """One type the partner may send."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    has_subject = fields.Boolean(required=True)
    fields_ = fields.List(fields.String(), required=True, data_key="fields")
    proof_needed = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    schema = fields.Dict(required=True)
    example = fields.Dict(required=True)


class PurposeSchema(Schema):
    """A purpose of the catalogue, in its newest version."""

    id = fields.String(required=True)
    version = fields.Integer(required=True)
    title = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    text = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class NoticeSchema(Schema):
    """A text a proof of consent may point at."""

    version = fields.String(required=True)
    locale = fields.String(required=True)
    sha256 = fields.String(required=True)
    purposes = fields.List(fields.String(), required=True)
    recipients = fields.List(fields.String(), required=True)


class EventTypesSchema(Schema):
    """What one partner may send."""

    partner = fields.String(required=True)
    types = fields.List(fields.Nested(EventTypeSchema), required=True)
    purposes = fields.List(fields.Nested(PurposeSchema), required=True)
    notices = fields.List(fields.Nested(NoticeSchema), required=True)


class FaultSchema(Schema):
    """One fault, where it is and what it is."""

    detail = fields.String(required=True)
    pointer = fields.String(required=True)


class ProblemSchema(Schema):
    """A refusal (RFC 9457)."""

    type = fields.Url(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    request_id = fields.UUID(required=True)
    retryable = fields.Boolean(required=True)
    hint = fields.String(required=True)
    detail = fields.String()
    errors = fields.List(fields.Nested(FaultSchema))
    server_time = fields.DateTime()
