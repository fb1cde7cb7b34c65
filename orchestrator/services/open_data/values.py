"""Cells that are more than text: numbers, coordinates, postal codes, telephones, web addresses.

Each function reads one cell of a record, reports what it changes or refuses, and answers None for
what cannot be trusted: a wrong value is worse than a missing one.
"""

import re
from urllib.parse import urlsplit

import phonenumbers

from orchestrator.services.open_data import rules
from orchestrator.services.open_data.records import Record
from orchestrator.services.open_data.rows import CommuneRow
from schemas.geo import Point, is_on_earth

INSEE_CODE = re.compile(r"(?:[0-9]{2}|2[AB])[0-9]{3}")
POSTAL_CODE = re.compile(r"[0-9]{5}")
_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?")
_DEGREES = re.compile(r"-?[0-9]{1,3}(?:\.[0-9]{1,15})?")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_HOST = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_NOT_IN_A_URL = re.compile(r"[\s<>\"\\^`{|}]")


def measure(record: Record, column: str, *, highest: float) -> float | None:
    """Read a count or a size written as a decimal number, from 0 to ``highest``."""
    text = record.cell(column)
    if not text:
        return None
    if not _NUMBER.fullmatch(text) or float(text) > highest:
        record.note(rules.NUMBER_INVALID, column, text)
        return None
    return float(text)


def coordinates(record: Record, lat_column: str, lon_column: str) -> Point | None:
    """Read a pair of WGS84 degrees; half a pair, or one out of range, is no point."""
    lat, lon = _degrees(record, lat_column), _degrees(record, lon_column)
    if not lat and not lon:
        return None
    if _DEGREES.fullmatch(lat) and _DEGREES.fullmatch(lon):
        point = Point(float(lat), float(lon))
        if is_on_earth(*point):
            return point
    record.note(rules.COORDINATES_INVALID, f"{lat_column}, {lon_column}", f"{lat}, {lon}")
    return None


def _degrees(record: Record, column: str) -> str:
    text = record.cell(column)
    if "," not in text:
        return text
    dotted = text.replace(",", ".")
    record.note(rules.DECIMAL_COMMA, column, text, dotted)
    return dotted


def postal_code(record: Record, column: str, commune: CommuneRow) -> str | None:
    """Read a postal code; one of another department than the commune's is no code at all.

    Special-delivery codes (Cedex) are nobody's commune code and are kept.
    """
    text = record.cell(column)
    if not text or text in commune.postal_codes:
        return text or None
    if POSTAL_CODE.fullmatch(text) and text.startswith(_postal_prefix(commune.code)):
        record.note(rules.POSTAL_CODE_ELSEWHERE, column, text)
        return text
    record.note(rules.POSTAL_CODE_IMPOSSIBLE, column, text)
    return None


def _postal_prefix(commune: str) -> str:
    if commune.startswith(("97", "98")):
        return commune[:3]
    return "20" if commune.startswith(("2A", "2B")) else commune[:2]


def phone(record: Record, column: str) -> str | None:
    """Read a French telephone number into E.164."""
    text = record.cell(column)
    if not text:
        return None
    number = _e164(text)
    if number is None:
        record.note(rules.PHONE_UNREADABLE, column, text)
    elif number != text:
        record.note(rules.PHONE_NORMALISED, column, text, number)
    return number


def _e164(text: str) -> str | None:
    try:
        number = phonenumbers.parse(text, "FR")
    except phonenumbers.NumberParseException:
        return None
    if number.extension or not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def url(record: Record, column: str) -> str | None:
    """Read a web address; https:// is added where no scheme is written."""
    text = record.cell(column)
    if not text:
        return None
    address = text if _SCHEME.match(text) else f"https://{text}"
    if not _is_web_address(address):
        record.note(rules.URL_INVALID, column, text)
        return None
    if address != text:
        record.note(rules.URL_SCHEME_ADDED, column, text, address)
    return address


def _is_web_address(address: str) -> bool:
    if _NOT_IN_A_URL.search(address):
        return False
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port  # reading an impossible port raises
    except ValueError:
        return False
    is_plain = parts.scheme in {"http", "https"} and "@" not in parts.netloc
    return is_plain and _HOST.fullmatch(host or "") is not None


def has_luhn_check(digits: str) -> bool:
    """Tell whether the last digit is the Luhn check of the others (SIREN numbers)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
