"""Fields of the canonical model: what a value must look like, said once, with its personal class.

What a field is, and how a schema is made of them: ``schemas.strict``.
"""

# ruff: noqa: D102 - ``read`` and ``describe`` are documented once, in schemas.strict.Read

import math
import re
from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar, Final

import phonenumbers
from marshmallow import ValidationError

from schemas import clock
from schemas.cloudevents import read_moment
from schemas.pii import NOT_PERSONAL, pii
from schemas.strict import Read, closed_object

LANGUAGES: Final = ("fr", "fr-x-falc", "en", "ar")
AGE_BANDS: Final = ("under_15", "15_17", "18_25", "26_64", "65_plus")
_NOT_A_TEXT: Final = "Un texte est attendu."


class Text(Read):
    """A line of text without control characters, blanks at its ends removed."""

    def __init__(self, *, at_most: int = 120, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.at_most = at_most

    def read(self, value: Any) -> str:
        if type(value) is not str:
            raise ValidationError(_NOT_A_TEXT)
        text = value.strip()
        if not 1 <= len(text) <= self.at_most:
            sentence = f"Un texte de 1 à {self.at_most} caractères est attendu."
            raise ValidationError(sentence)
        if not text.isprintable() and _CONTROL.search(text):
            raise ValidationError("Ce texte contient un caractère interdit.")
        return text

    def describe(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1, "maxLength": self.at_most}


class Pattern(Read):
    """A text that matches one expression as a whole; subclasses set it and its sentence."""

    expression: ClassVar[re.Pattern[str]]
    sentence: ClassVar[str]

    def read(self, value: Any) -> str:
        if type(value) is not str or not self.expression.fullmatch(value):
            raise ValidationError(self.sentence)
        return value

    def describe(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^(?:{self.expression.pattern})$"}


class InseeCode(Pattern):
    """The code of a commune in the official geographic code (5 characters, ``2A004`` too)."""

    default_pii = pii("location")
    expression = re.compile(r"(?:[0-9]{2}|2[AB])[0-9]{3}")
    sentence = "Un code de commune de l'Insee est attendu (5 caractères, par exemple 13055)."


class Slug(Pattern):
    """An identifier of a catalogue: lower case, digits, underscores."""

    default_pii = NOT_PERSONAL
    expression = re.compile(r"[a-z][a-z0-9_]{1,39}")
    sentence = "Un identifiant est attendu : minuscules, chiffres et _ (2 à 40 caractères)."


class Purpose(Pattern):
    """The name of a purpose, for example ``library.preregistration``."""

    default_pii = NOT_PERSONAL
    expression = re.compile(r"[a-z][a-z0-9_]{0,39}(?:\.[a-z][a-z0-9_]{0,39})?")
    sentence = "Le nom d'une finalité est attendu, par exemple library.preregistration."


class Sha256(Pattern):
    """A SHA-256 digest in lower-case hexadecimal."""

    default_pii = NOT_PERSONAL
    expression = re.compile(r"[0-9a-f]{64}")
    sentence = "Une empreinte SHA-256 est attendue : 64 chiffres hexadécimaux en minuscules."


class PlacementToken(Pattern):
    """The token printed on a poster: 8 characters of Crockford's base32."""

    default_pii = NOT_PERSONAL
    expression = re.compile(r"[0-9A-HJKMNP-TV-Z]{8}")
    sentence = "Le code de l'affiche est attendu : 8 caractères, par exemple AB12CD34."


class InstitutionCode(Pattern):
    """A participant identification code of a university (9 digits)."""

    default_pii = NOT_PERSONAL
    expression = re.compile(r"[0-9]{9}")
    sentence = "Un code PIC de 9 chiffres est attendu."


class Uuid(Pattern):
    """An identifier of ours, as text."""

    default_pii = NOT_PERSONAL
    expression = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
    sentence = "Un UUID en minuscules est attendu."


class JourneyName(Pattern):
    """The name of a journey: ``library.arrival``."""

    default_pii = NOT_PERSONAL
    expression = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*")
    sentence = "Le nom d'un parcours est attendu, par exemple library.arrival."


class HttpsAddress(Pattern):
    """An absolute address that starts with ``https://``."""

    default_pii = pii("secret")
    expression = re.compile(
        r"https://[A-Za-z0-9.\-]+(?::[0-9]+)?(?:/[A-Za-z0-9\-._~:/?#@!$&'()*+,;=%]*)?"
    )
    sentence = "Une adresse https est attendue."


class Season(Pattern):
    """A sports season, two years that follow each other: ``2026-2027``."""

    default_pii = NOT_PERSONAL
    expression = re.compile(r"[0-9]{4}-[0-9]{4}")
    sentence = "Une saison est attendue : deux années qui se suivent, par exemple 2026-2027."

    def read(self, value: Any) -> str:
        season = super().read(value)
        if int(season[5:]) != int(season[:4]) + 1:
            raise ValidationError(self.sentence)
        return season


class E164(Pattern):
    """A telephone number in international form: ``+33639980001``."""

    default_pii = pii("contact", "tail4")
    expression = re.compile(r"\+[1-9][0-9]{6,14}")
    sentence = "Un numéro de téléphone au format international est attendu (+33…)."

    def read(self, value: Any) -> str:
        number = super().read(value)
        if not _PLAIN_FRENCH.fullmatch(number) and not _is_possible(number):
            raise ValidationError(self.sentence)
        return number


class EmailAddress(Pattern):
    """An e-mail address as mail systems of today carry it; its domain in lower case."""

    default_pii = pii("contact", "domain")
    expression = re.compile(
        r"(?=.{3,254}$)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
        r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]"
    )
    sentence = "Une adresse électronique est attendue."

    def read(self, value: Any) -> str:
        local, _, domain = super().read(value).rpartition("@")
        if len(local) > 64:
            raise ValidationError(self.sentence)
        return f"{local}@{domain.lower()}"

    def describe(self) -> dict[str, Any]:
        return {"type": "string", "format": "email", "maxLength": 254}


class LanguageTag(Pattern):
    """A BCP 47 language tag, kept as it came but for its case."""

    default_pii = NOT_PERSONAL
    expression = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,6}")
    sentence = "Une étiquette de langue est attendue (BCP 47), par exemple fr ou fr-x-falc."

    def read(self, value: Any) -> str:
        return super().read(value).lower()


class Bcp47(LanguageTag):
    """A language tag brought to one of the languages we write in; unknown ones give French."""

    def read(self, value: Any) -> str:
        tag = super().read(value)
        if tag in LANGUAGES:
            return tag
        primary = tag.partition("-")[0]
        return primary if primary in LANGUAGES else "fr"


class OneOf(Read):
    """One of a few words."""

    default_pii = NOT_PERSONAL

    def __init__(self, *words: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.words = words

    def read(self, value: Any) -> str:
        if type(value) is not str or value not in self.words:
            sentence = f"Une de ces valeurs est attendue : {', '.join(self.words)}."
            raise ValidationError(sentence)
        return value

    def describe(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.words)}


class AgeBand(OneOf):
    """The band of ages a person is in; a birth date is never asked."""

    default_pii = pii("civil_status")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(*AGE_BANDS, **kwargs)


class Day(Read):
    """A calendar day, ``YYYY-MM-DD``."""

    default_pii = NOT_PERSONAL

    def read(self, value: Any) -> str:
        try:
            is_day = type(value) is str and date.fromisoformat(value).isoformat() == value
        except ValueError:
            is_day = False
        if not is_day:
            raise ValidationError("Une date est attendue (AAAA-MM-JJ).")
        return str(value)

    def describe(self) -> dict[str, Any]:
        return {"type": "string", "format": "date"}


class Moment(Read):
    """A moment of RFC 3339, kept in UTC."""

    default_pii = NOT_PERSONAL

    def read(self, value: Any) -> str:
        moment = read_moment(value)
        if moment is None:
            raise ValidationError("Un instant RFC 3339 avec secondes et décalage est attendu.")
        return clock.rfc3339(moment)

    def describe(self) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}


class Count(Read):
    """A whole number of things, within 32 bits; never negative, ``SignedCount`` may be."""

    default_pii = NOT_PERSONAL
    lowest: ClassVar[int] = 0

    def read(self, value: Any) -> int:
        if type(value) is not int or not self.lowest <= value < 2**31:
            sentence = f"Un nombre entier est attendu, {self.lowest} au moins."
            raise ValidationError(sentence)
        return value

    def describe(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.lowest, "maximum": 2**31 - 1}


class SignedCount(Count):
    """A whole number that may be negative: a difference of clocks."""

    lowest = -(2**31)


class Location(Read):
    """A point ``{lat, lon}`` in WGS84, rounded on entry to 3 decimals (about 100 m)."""

    default_pii = pii("location")
    limits: ClassVar[Mapping[str, int]] = {"lat": 90, "lon": 180}

    def read(self, value: Any) -> dict[str, float]:
        if type(value) is not dict:
            raise ValidationError("Un objet {lat, lon} est attendu.")
        faults = {name: ["Ce membre n'est pas connu."] for name in value if name not in self.limits}
        for name, limit in self.limits.items():
            if not _is_within(value.get(name), limit):
                faults[name] = [f"Un nombre de -{limit} à {limit} est attendu."]
        if faults:
            raise ValidationError(faults)
        return {name: round(float(value[name]), 3) for name in self.limits}

    def describe(self) -> dict[str, Any]:
        properties = {
            name: {"type": "number", "minimum": -limit, "maximum": limit}
            for name, limit in self.limits.items()
        }
        return closed_object(properties, list(self.limits))


def read_phone(text: str, region: str = "FR") -> str | None:
    """Return what a person typed (``06 39 98 00 01``) in E.164, None when it is no number."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_PLAIN_FRENCH = re.compile(r"\+33[1-9][0-9]{8}")


def _is_possible(number: str) -> bool:
    return read_phone(number) == number


def _is_within(value: object, limit: int) -> bool:
    is_number = type(value) in (int, float)
    return is_number and math.isfinite(value) and abs(value) <= limit  # type: ignore[arg-type]
