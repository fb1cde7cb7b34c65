"""The shapes of what applications of the city are answered, as the document describes them."""

from marshmallow import Schema, fields, validate

LEVELS = validate.Range(min=0, max=4)


class MeSchema(Schema):
    """The citizen of the token: how sure we are, and where they belong. No civil status."""

    level = fields.Integer(required=True, validate=LEVELS)
    state = fields.String(required=True)
    language = fields.String(required=True)
    services = fields.List(fields.String(), required=True)


class AccountSchema(Schema):
    """The citizen's place in one service; ``id`` is this account's, not the citizen's."""

    id = fields.UUID(required=True)
    service = fields.String(required=True)
    name = fields.String(required=True)
    state = fields.String(required=True)
    level = fields.Integer(required=True, validate=LEVELS)
    method = fields.String(required=True)
    opened_at = fields.DateTime(required=True)


class AccountsSchema(Schema):
    """Where the citizen belongs."""

    accounts = fields.List(fields.Nested(AccountSchema), required=True)


class LoginSchema(Schema):
    """One way the citizen signs in; never the name the provider knows them by."""

    id = fields.UUID(required=True)
    alias = fields.String(required=True)
    method = fields.String(required=True)
    level = fields.Integer(required=True, validate=LEVELS)
    since = fields.DateTime(required=True)
    last_used_at = fields.DateTime(required=True)


class LoginsSchema(Schema):
    """How the citizen signs in."""

    logins = fields.List(fields.Nested(LoginSchema), required=True)


class ServicePlaceSchema(Schema):
    """Where a service is."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    commune = fields.String(required=True)
    address = fields.String(required=True, allow_none=True)


class ServiceSchema(Schema):
    """One service of the city, for the communes of its territory."""

    id = fields.String(required=True)
    kind = fields.String(required=True)
    name = fields.String(required=True)
    territory = fields.String(required=True, allow_none=True)
    communes = fields.List(fields.String(), required=True)
    place = fields.Nested(ServicePlaceSchema, required=True, allow_none=True)
    min_level = fields.Integer(required=True, validate=LEVELS)


class ServicesSchema(Schema):
    """What the city offers."""

    services = fields.List(fields.Nested(ServiceSchema), required=True)
