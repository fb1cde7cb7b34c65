"""Civil status as it is compared, never as it is stored: what makes two writings of one person equal.

A comparison forgives accents, case, hyphens and blanks, and nothing else: twins share everything but
their given names. Sources: the six fields of the national pivot identity, INSEE's codes of places.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Final

from schemas.keys import keyed_digest
from schemas.logins import CIVIL_STATUS, CivilStatus

FRANCE: Final = "99100"
UNSPECIFIED: Final = "unspecified"
_LIGATURES: Final = str.maketrans({"œ": "OE", "Œ": "OE", "æ": "AE", "Æ": "AE"})
# apostrophes, hyphens, dashes, blanks
_GAPS: Final = re.compile(r"[\s'\u2018\u2019\u02bc\u2010-\u2015\u2212-]+")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


class Alike(StrEnum):
    """How two writings of one field stand to each other."""

    EQUAL = "equal"
    NEAR = "near"
    DIFFERENT = "different"


def normalised(text: str) -> str:
    """Return a name as it is compared."""
    plain = unicodedata.normalize("NFKD", text)
    bare = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return _GAPS.sub(" ", bare.translate(_LIGATURES).upper()).strip()


def is_complete(person: CivilStatus) -> bool:
    """Tell whether a civil status can vouch for a person: every part of the date known, a gender said."""
    date = person.birthdate
    return (
        bool(normalised(person.birth_name) and normalised(person.given_names))
        and bool(_DATE.fullmatch(date))
        and "-00" not in date
        and person.gender in {"male", "female"}
        and bool(person.birthcountry)
        and bool(person.birthplace) == (person.birthcountry == FRANCE)
    )


def compared(one: CivilStatus, other: CivilStatus) -> Mapping[str, Alike]:
    """Return how two people's fields stand to each other, field by field."""
    return {
        "given_names": _given_names(one.given_names, other.given_names),
        "birth_name": _names(one.birth_name, other.birth_name),
        "birthdate": _dates(one.birthdate, other.birthdate),
        "gender": _genders(one.gender, other.gender),
        "birthplace": _places(one, other),
        "birthcountry": _same(one.birthcountry, other.birthcountry),
    }


def contradicts(said: CivilStatus, vouched: Mapping[str, str]) -> bool:
    """Tell whether a civil status says anything else than the fields that were vouched for before."""
    alike = compared(said, replace(said, **vouched))
    return any(
        alike[name] is not Alike.EQUAL and getattr(said, name) != known
        for name, known in vouched.items()
    )


def search_keys(key: bytes, person: CivilStatus) -> dict[str, bytes]:
    """Return the keyed digests a candidate is found by: each time all fields but one.

    Two people of whom at most one field differs share at least one of them, however many are near: of
    the given names the first counts here, and a part of a date that is not known is the register's 01.
    """
    values = _findable(person)
    return {
        left_out: keyed_digest(
            key,
            left_out.encode(),
            *(values[name].encode() for name in CIVIL_STATUS if name != left_out),
        )
        for left_out in CIVIL_STATUS
    }


def _findable(person: CivilStatus) -> dict[str, str]:
    return {
        "given_names": normalised(person.given_names).partition(" ")[0],
        "birth_name": normalised(person.birth_name),
        "birthdate": person.birthdate.replace("-00", "-01"),
        "gender": person.gender,
        "birthplace": person.birthplace.upper() if person.birthcountry == FRANCE else "",
        "birthcountry": person.birthcountry,
    }


def _same(one: str, other: str) -> Alike:
    return Alike.EQUAL if one and one == other else Alike.DIFFERENT


def _names(one: str, other: str) -> Alike:
    return _same(normalised(one), normalised(other))


def _given_names(one: str, other: str) -> Alike:
    """Equal as sequences, or near when one says only the first of them: providers send one or all."""
    ours, theirs = normalised(one).split(), normalised(other).split()
    if not ours or not theirs or ours[0] != theirs[0]:
        return Alike.DIFFERENT
    if ours == theirs:
        return Alike.EQUAL
    shorter = min(len(ours), len(theirs))
    return Alike.NEAR if ours[:shorter] == theirs[:shorter] else Alike.DIFFERENT


def _dates(one: str, other: str) -> Alike:
    if one == other and _DATE.fullmatch(one):
        return Alike.EQUAL
    if not (_DATE.fullmatch(one) and _DATE.fullmatch(other)):
        return Alike.DIFFERENT
    parts = zip(one.split("-"), other.split("-"), strict=True)
    is_near = all(ours == theirs or {ours, theirs} == {"00", "01"} for ours, theirs in parts)
    return Alike.NEAR if is_near else Alike.DIFFERENT


def _genders(one: str, other: str) -> Alike:
    return Alike.DIFFERENT if UNSPECIFIED in {one, other} else _same(one, other)


def _places(one: CivilStatus, other: CivilStatus) -> Alike:
    """A place in France is compared; abroad there is none to compare."""
    if FRANCE in {one.birthcountry, other.birthcountry}:
        return _same(one.birthplace.upper(), other.birthplace.upper())
    return Alike.EQUAL if not one.birthplace and not other.birthplace else Alike.DIFFERENT
