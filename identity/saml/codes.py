"""Why a message of an identity provider is refused: words for the log and the journal, never for people."""

from enum import StrEnum


class Code(StrEnum):
    """One word per rule; ``LIBRARY`` words stand for what the SAML library itself refuses."""

    # before any parser
    TOO_LARGE = "too_large"
    BAD_BASE64 = "bad_base64"
    INFLATE_LIMIT = "inflate_limit"
    NOT_XML = "not_xml"
    NOT_UTF8 = "not_utf8"
    DOCTYPE = "doctype"
    TOO_DEEP = "too_deep"
    # what the library refuses
    SIGNATURE = "signature"
    STATUS = "status"
    UNSOLICITED = "unsolicited"
    LIFETIME = "lifetime"
    LIBRARY = "library"
    # what it lets through
    EMPTY = "empty"
    ASSERTIONS = "assertions"
    VERSION = "version"
    CONDITIONS = "conditions"
    AUDIENCE = "audience"
    DESTINATION = "destination"
    ISSUE_INSTANT = "issue_instant"
    RECIPIENT = "recipient"
    CONFIRMATION = "confirmation"
    ISSUER = "issuer"
    SESSION_INDEX = "session_index"
    ATTRIBUTES = "attributes"
    ATTRIBUTE_SIZE = "attribute_size"
    NAME_ID = "name_id"
    # logout
    UNSIGNED = "unsigned"
    ALGORITHM = "algorithm"
    STALE = "stale"
    # the realm's description
    ENTITY_ID = "entity_id"
    ENDPOINT = "endpoint"
    NO_KEY = "no_key"
    UNREACHABLE = "unreachable"
    # the conversation (told by whoever keeps its state)
    REPLAY = "replay"
    UNKNOWN_REQUEST = "unknown_request"
