"""CloudEvents 1.0, read strictly: attributes are proved before a message exists.

The specification's JSON Schema and its SDK let pass what would hurt later: an absent ``id`` filled
in by the receiver hides a repeat, a time without seconds is read differently by two libraries.
Pure and quick: it stands on the way of every event.

Specification: CloudEvents 1.0.2, core and JSON format.
"""

import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from schemas import strict_json
from schemas.errors import InvalidPayloadError, MalformedError, PayloadTooLargeError
from schemas.messages import Message
from schemas.strict_json import NONCHARACTERS, pointer, read_json

__all__ = ["partner_of", "read_batch", "read_event", "read_json", "read_moment"]

MAX_ITEMS: Final = 50
FUTURE: Final = timedelta(minutes=5)
PAST: Final = timedelta(days=35)
MAX_REFERENCE: Final = 256
ID_PATTERN: Final = r"[A-Za-z0-9_-]{1,64}"

_NAME = re.compile(r"[a-z0-9]+")
_ID = re.compile(ID_PATTERN)
_PARTNER = re.compile(r"/partners/([a-z][a-z0-9_]{1,39})(?:/.*)?")
_NOT_IN_STRING = re.compile(f"[\x00-\x1f\x7f-\x9f\ud800-\udfff{NONCHARACTERS}]")
_ESCAPED = r"%[0-9A-Fa-f]{2}"
_URI_CHARACTER = rf"(?:[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=]|{_ESCAPED})"
_URI_REFERENCE = re.compile(rf"{_URI_CHARACTER}+(?:#{_URI_CHARACTER}*)?|#{_URI_CHARACTER}*")
_ABSOLUTE_URI = re.compile(rf"[A-Za-z][A-Za-z0-9+.\-]*:{_URI_CHARACTER}+(?:#{_URI_CHARACTER}*)?")
_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"  # noqa: S105 - RFC 2045 calls it token
_MEDIA_TYPE = re.compile(rf'{_TOKEN}/{_TOKEN}(?:\s*;\s*{_TOKEN}=(?:{_TOKEN}|"(?:[^"\\]|\\.)*"))*')
_JSON_MEDIA_TYPE = re.compile(r"[^/]+/(?:json|[^;\s]+\+json)\s*(?:;.*)?", re.IGNORECASE)
_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(?:\.\d+)?"
    r"(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)"
)
_MAIL_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_TELEPHONE = re.compile(r"(?:\+|00)[1-9][\d .-]{7,17}|0[1-9](?:[ .-]?\d\d){4}")

Errors: TypeAlias = list[tuple[str, str]]
_CORE: Final = frozenset(
    {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema"}
)
_TRACED: Final = frozenset({"correlationid", "causationid"})
_KNOWN: Final = _CORE | _TRACED | {"data", "data_base64"}


def read_event(value: object, now: datetime) -> Message:
    """Return the message an event in structured mode carries.

    ``value`` comes from ``read_json``. The type's own schema is not asked here, nor whether the
    source belongs to the signer.

    Raises:
        InvalidPayloadError: with a pointer and a sentence for every fault, slug ``invalid-event``.
    """
    if type(value) is not dict:
        raise _invalid([("#", "Un événement est un objet JSON.")])
    errors: Errors = []
    moment = _check_core(value, now, errors)
    extensions = _read_extensions(value, moment, errors)
    data = _read_data(value, errors)
    if errors or moment is None:
        raise _invalid(errors)
    return Message(
        type=value["type"],
        source=value["source"],
        id=value["id"],
        subject=value.get("subject"),
        time=moment,
        data=data,
        correlation_id=value.get("correlationid"),
        causation_id=value.get("causationid"),
        extensions=extensions,
    )


def read_batch(raw: bytes, now: datetime) -> tuple[Message | InvalidPayloadError, ...]:
    """Return one message or one refusal per item of a batch, in order.

    One bad item never blocks the others: what makes a single event malformed (a repeated member,
    too much depth) refuses its item only, with the slug ``malformed``.

    Raises:
        MalformedError: the body as a whole is no JSON array.
        PayloadTooLargeError: more than 50 items.
    """
    value, faults = strict_json.parse(raw)
    if type(value) is not list:
        raise MalformedError("Un lot est un tableau JSON d'événements.")
    if len(value) > MAX_ITEMS:
        detail = f"Un lot contient au plus {MAX_ITEMS} événements."
        raise PayloadTooLargeError(detail)
    return tuple(
        _read_item(item, tuple(fault for fault in faults if fault.path[0] == index), now)
        for index, item in enumerate(value)
    )


def _read_item(
    item: object, faults: tuple[strict_json.Fault, ...], now: datetime
) -> Message | InvalidPayloadError:
    if faults:
        is_malformed = any(fault.is_malformed for fault in faults)
        errors = tuple((pointer(fault.path[1:]), fault.sentence) for fault in faults)
        return InvalidPayloadError(errors, slug="malformed" if is_malformed else "invalid-event")
    try:
        return read_event(item, now)
    except InvalidPayloadError as error:
        return error


def partner_of(source: str) -> str | None:
    """Return the partner a source claims to be of (``/partners/exemple_energie/…``), if any."""
    claim = _PARTNER.fullmatch(source)
    return claim[1] if claim else None


def read_moment(text: object) -> datetime | None:
    """Return an RFC 3339 date-time as an aware UTC moment, None when it is not one.

    A leap second is clamped to the second before it.
    """
    if type(text) is not str or not (found := _MOMENT.fullmatch(text)):
        return None
    if found[2] == "60":
        text = f"{text[: found.start(2)]}59{text[found.end(2) :]}"
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _invalid(errors: Errors) -> InvalidPayloadError:
    return InvalidPayloadError(tuple(errors), slug="invalid-event")


# --- attributes ----------------------------------------------------------------------------------


def _check_core(value: dict[str, Any], now: datetime, errors: Errors) -> datetime | None:
    """Check the specification's own attributes and return when the fact happened."""
    if value.get("specversion") != "1.0":
        errors.append(("#/specversion", "« specversion » vaut exactement « 1.0 »."))
    _check_id(value.get("id"), errors)
    source = _check_string(value, "source", errors, is_required=True)
    if source and (len(source) > MAX_REFERENCE or not _URI_REFERENCE.fullmatch(source)):
        errors.append(("#/source", "« source » est une référence d'URI de 256 caractères au plus."))
    _check_string(value, "type", errors, is_required=True)
    if value.get("subject") is not None:
        _check_subject(_check_string(value, "subject", errors), errors)
    if value.get("datacontenttype") is not None or value.get("dataschema") is not None:
        _check_content(value, errors)
    return _read_time(value.get("time"), now, errors)


def _check_id(value: object, errors: Errors) -> None:
    if type(value) is not str or not _ID.fullmatch(value):
        sentence = "« id » est obligatoire : 1 à 64 caractères parmi A-Z a-z 0-9 _ et -."
        errors.append(("#/id", sentence))


def _check_string(
    value: dict[str, Any], name: str, errors: Errors, *, is_required: bool = False
) -> str | None:
    """Return a string attribute, or None after saying what is wrong with it."""
    text = value.get(name)
    if type(text) is str and text and (text.isprintable() or not _NOT_IN_STRING.search(text)):
        return text
    if text is None:
        if is_required:
            errors.append((f"#/{name}", f"« {name} » est obligatoire."))
    elif type(text) is str and text:
        errors.append((f"#/{name}", f"« {name} » contient un caractère interdit."))
    else:
        errors.append((f"#/{name}", f"« {name} » est un texte non vide."))
    return None


def _check_subject(subject: str | None, errors: Errors) -> None:
    if subject is None:
        return
    if len(subject) > MAX_REFERENCE:
        errors.append(("#/subject", "« subject » a 256 caractères au plus."))
    elif _MAIL_ADDRESS.search(subject) or _TELEPHONE.fullmatch(subject):
        sentence = "« subject » est une référence opaque, jamais une adresse ni un téléphone."
        errors.append(("#/subject", sentence))


def _check_content(value: dict[str, Any], errors: Errors) -> None:
    media_type = _check_string(value, "datacontenttype", errors)
    if media_type and not _MEDIA_TYPE.fullmatch(media_type):
        errors.append(("#/datacontenttype", "« datacontenttype » est un type de média."))
    schema = _check_string(value, "dataschema", errors)
    if schema and not _ABSOLUTE_URI.fullmatch(schema):
        errors.append(("#/dataschema", "« dataschema » est une URI absolue."))


def _read_time(text: object, now: datetime, errors: Errors) -> datetime | None:
    moment = read_moment(text)
    if moment is None:
        sentence = "« time » est obligatoire : une date RFC 3339 avec secondes et décalage horaire."
    elif moment > now + FUTURE:
        sentence = "« time » est dans le futur."
    elif moment < now - PAST:
        sentence = "« time » est trop ancien : 35 jours au plus."
    else:
        return moment
    errors.append(("#/time", sentence))
    return None


def _read_extensions(
    value: dict[str, Any], moment: datetime | None, errors: Errors
) -> Mapping[str, str | bool | int]:
    """Return every other attribute whose name and type the specification allows."""
    if value.keys() <= _KNOWN and not (value.keys() & _TRACED):
        return {}
    for name in _TRACED & value.keys():
        _check_string(value, name, errors)
    extensions = {
        name: member
        for name, member in value.items()
        if name not in _KNOWN and _is_extension(name, member, errors)
    }
    if "recordedtime" in extensions:
        _check_recorded(extensions["recordedtime"], moment, errors)
    return extensions


def _is_extension(name: str, value: object, errors: Errors) -> bool:
    if not _NAME.fullmatch(name):
        sentence = "Un nom d'attribut s'écrit avec a-z et 0-9 seulement."
    elif value is None:
        return False
    elif type(value) is str:
        if not _NOT_IN_STRING.search(value):
            return True
        sentence = "Cet attribut contient un caractère interdit."
    elif type(value) is bool or (type(value) is int and -(2**31) <= value < 2**31):
        return True
    else:
        sentence = "Un attribut est un texte, un booléen ou un entier de 32 bits."
    errors.append((pointer((name,)), sentence))
    return False


def _check_recorded(text: object, moment: datetime | None, errors: Errors) -> None:
    recorded = read_moment(text)
    if recorded is None:
        errors.append(("#/recordedtime", "« recordedtime » est une date RFC 3339."))
    elif moment is not None and recorded < moment:
        errors.append(("#/recordedtime", "« recordedtime » ne précède pas « time »."))


# --- data ----------------------------------------------------------------------------------------


def _read_data(value: dict[str, Any], errors: Errors) -> Any:
    """Return ``data``, or what ``data_base64`` holds when it is JSON."""
    encoded = value.get("data_base64")
    if encoded is None:
        return value.get("data")
    if "data" in value:
        errors.append(("#/data_base64", "« data » et « data_base64 » s'excluent."))
        return None
    try:
        raw = binascii.a2b_base64(encoded, strict_mode=True)
        is_json = _JSON_MEDIA_TYPE.fullmatch(value.get("datacontenttype") or "application/json")
        return read_json(raw) if is_json else None
    except (TypeError, ValueError):
        errors.append(("#/data_base64", "« data_base64 » est un texte en base64."))
    except (MalformedError, InvalidPayloadError):
        errors.append(("#/data_base64", "Le contenu décodé n'est pas un document JSON lisible."))
    return None
