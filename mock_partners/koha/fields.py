"""The patron of Koha's REST interface: its members, their types, and how a wrong body is refused.

Facts: Koha's own OpenAPI document (served by ``GET /api/v1/``). No member outside it is accepted.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

__all__ = [
    "HOLD",
    "NEW_BOOKING",
    "PATRON",
    "Member",
    "as_schema",
    "blank_patron",
    "fold",
    "known_members",
    "schema_errors",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of a body: JSON type, format, whether null is allowed, since which version."""

    kind: str = "string"
    format: str | None = None
    is_nullable: bool = True
    is_read_only: bool = False
    since: tuple[int, int] = (0, 0)
    default: object = None

    @property
    def types(self) -> tuple[str, ...]:
        """The JSON types it takes."""
        return (self.kind, "null") if self.is_nullable else (self.kind,)


TEXTS = """cardnumber firstname preferred_name middle_name title other_name initials pronouns
street_number street_type address address2 city state postal_code country
email phone mobile fax secondary_email secondary_phone
altaddress_street_number altaddress_street_type altaddress_address altaddress_address2 altaddress_city
altaddress_state altaddress_postal_code altaddress_country altaddress_email altaddress_phone altaddress_notes
altcontact_firstname altcontact_surname altcontact_address altcontact_address2 altcontact_city
altcontact_state altcontact_postal_code altcontact_country altcontact_phone
staff_notes relationship_type gender userid opac_notes statistics_1 statistics_2
sms_number overdrive_auth_token"""
DAYS = "date_of_birth date_enrolled expiry_date date_renewed"
RECENT = {"preferred_name": (24, 11), "pronouns": (24, 11), "protected": (24, 11)}

PATRON: Mapping[str, Member] = {
    "patron_id": Member(kind="integer", is_nullable=False),
    "surname": Member(is_nullable=False),
    "library_id": Member(is_nullable=False),
    "category_id": Member(is_nullable=False),
    **{name: Member(since=RECENT.get(name, (0, 0))) for name in TEXTS.split()},
    **{name: Member(format="date") for name in DAYS.split()},
    "incorrect_address": Member(kind="boolean"),
    "patron_card_lost": Member(kind="boolean"),
    "restricted": Member(kind="boolean", is_nullable=False, is_read_only=True, default=False),
    "anonymized": Member(kind="boolean", is_nullable=False, is_read_only=True, default=False),
    "autorenew_checkouts": Member(kind="boolean", is_nullable=False, default=True),
    "sms_provider_id": Member(kind="integer"),
    "privacy": Member(kind="integer", is_nullable=False, default=1),
    "privacy_guarantor_checkouts": Member(kind="integer", is_nullable=False, default=0),
    "privacy_guarantor_fines": Member(kind="boolean", is_nullable=False, default=False),
    "check_previous_checkout": Member(is_nullable=False, default="inherit"),
    "updated_on": Member(format="date-time", is_nullable=False),
    "last_seen": Member(format="date-time"),
    "lang": Member(is_nullable=False, default="default"),
    "login_attempts": Member(kind="integer", default=0),
    "extended_attributes": Member(kind="array", is_nullable=False),
    "protected": Member(kind="boolean", is_nullable=False, since=(24, 11), default=False),
}
PATRON_REQUIRED = ("surname", "library_id", "category_id")

HOLD: Mapping[str, Member] = {
    "patron_id": Member(kind="integer", is_nullable=False),
    "biblio_id": Member(kind="integer"),
    "item_id": Member(kind="integer"),
    "item_group_id": Member(kind="integer"),
    "pickup_library_id": Member(is_nullable=False),
    "item_type": Member(),
    "hold_date": Member(format="date"),
    "expiration_date": Member(format="date"),
    "notes": Member(),
    "non_priority": Member(kind="boolean"),
}
NEW_BOOKING: Mapping[str, Member] = {
    "booking_id": Member(kind="integer", is_nullable=False),
    "biblio_id": Member(kind="integer", is_nullable=False),
    "item_id": Member(kind="integer"),
    "patron_id": Member(kind="integer", is_nullable=False),
    "pickup_library_id": Member(is_nullable=False),
    "start_date": Member(format="date-time", is_nullable=False),
    "end_date": Member(format="date-time", is_nullable=False),
    "status": Member(),
    "cancellation_reason": Member(),
    "creation_date": Member(format="date-time"),
    "modification_date": Member(format="date-time"),
}


def known_members(members: Mapping[str, Member], version: tuple[int, int]) -> dict[str, Member]:
    """The members that this version of Koha has."""
    return {name: member for name, member in members.items() if member.since <= version}


def blank_patron(version: tuple[int, int]) -> dict[str, object]:
    """A record with every member at its default."""
    known = known_members(PATRON, version)
    return {name: member.default for name, member in known.items() if member.kind != "array"}


def as_schema(
    members: Mapping[str, Member], required: Iterable[str] = PATRON_REQUIRED
) -> dict[str, object]:
    """The members as the JSON Schema that the OpenAPI document shows."""
    properties: dict[str, object] = {}
    for name, member in members.items():
        types = list(member.types)
        properties[name] = {"type": types if len(types) > 1 else types[0]}
        if member.format:
            properties[name] |= {"format": member.format}  # type: ignore[operator]
        if member.is_read_only:
            properties[name] |= {"readOnly": True}  # type: ignore[operator]
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def schema_errors(
    body: object, members: Mapping[str, Member], required: Iterable[str] = PATRON_REQUIRED
) -> list[dict[str, str]]:
    """What is wrong with a body, in the words of Koha's validator; empty when nothing is."""
    if not isinstance(body, Mapping):
        return [_error("", f"Expected object - got {_json_type(body)}.")]
    errors = [_error(f"/{name}", "Missing property.") for name in required if name not in body]
    strangers = sorted(name for name in body if name not in members)
    if strangers:
        errors.append(_error("", f"Properties not allowed: {', '.join(strangers)}."))
    for name, member in members.items():
        if name in body:
            errors += [_error(f"/{name}", text) for text in _member_errors(member, body[name])]
    return errors


def _error(where: str, message: str) -> dict[str, str]:
    return {"message": message, "path": f"/body{where}"}


def _member_errors(member: Member, value: object) -> list[str]:
    if member.is_read_only:
        return ["Read-only."]
    if _json_type(value) not in member.types:
        return [f"Expected {'/'.join(member.types)} - got {_json_type(value)}."]
    if member.format and isinstance(value, str) and not _has_format(value, member.format):
        return [f"Does not match {member.format} format."]
    return []


def _json_type(value: object) -> str:
    return JSON_TYPES.get(type(value), "object")


JSON_TYPES: Mapping[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
}
DAY = re.compile(r"\d{4}-\d\d-\d\d")
INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def _has_format(value: str, wanted: str) -> bool:
    pattern = DAY if wanted == "date" else INSTANT
    if pattern.fullmatch(value) is None:
        return False
    try:
        if wanted == "date":
            date.fromisoformat(value)
        else:
            datetime.fromisoformat(value.upper())
    except ValueError:
        return False
    return True


@lru_cache(maxsize=65536)
def fold(text: str) -> str:
    """The text as Koha's database compares it: without case, accents or spaces at the end."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(sign for sign in decomposed if not unicodedata.combining(sign))
    return text.casefold().rstrip()
