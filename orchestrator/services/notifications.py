"""Messages to people: templates by language, the text of one message, and who it is sent to.

Texts are linted for the SMS alphabet; a text holds a code or an address of ours, never both a name
and a code, never a card number or an interest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from orchestrator.engine.journey import StepContext
from orchestrator.services.access_codes import code_of, shown
from orchestrator.services.signups import verification_code
from schemas.keys import HubKeys
from schemas.sms_text import lint


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Where one message goes."""

    channel: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One message, ready to send; ``subject`` serves e-mail only."""

    subject: str
    body: str


Values = Callable[[StepContext, HubKeys, str], Mapping[str, str] | None]


def _access_code(context: StepContext, keys: HubKeys, public_url: str) -> Mapping[str, str] | None:
    issued = context.outputs.get("issue_code")
    if issued is None:
        return None
    return {
        "code": shown(code_of(keys, UUID(issued["access_code_id"]))),
        "url": f"{public_url}/code",
        "until": issued["valid_until"],
    }


def _verification(context: StepContext, keys: HubKeys, _url: str) -> Mapping[str, str] | None:
    data = context.start.data
    return {"code": verification_code(keys, UUID(data["signup_id"]), int(data["sends"]))}


_VALUES: Final[Mapping[str, Values]] = {
    "library.code": _access_code,
    "verification.code": _verification,
}
_SUBJECTS: Final = {
    ("library.code", "fr"): "Votre code d'accès à la bibliothèque",
    ("library.code", "en"): "Your library access code",
    ("verification.code", "fr"): "Votre code de vérification",
    ("verification.code", "en"): "Your verification code",
}
_TEXTS: Final = {
    ("library.code", "fr"): (
        "Votre bibliothèque vous attend. Code d'accès : {code}, à saisir avant le {until} sur {url}"
    ),
    ("library.code", "en"): (
        "Your library awaits you. Access code: {code}, to be entered before {until} at {url}"
    ),
    ("verification.code", "fr"): (
        "Code de vérification : {code}, valable 10 minutes. Ne le communiquez à personne."
    ),
    ("verification.code", "en"): (
        "Verification code: {code}, valid for 10 minutes. Do not give it to anybody."
    ),
}


def recipient_of(context: StepContext) -> Recipient | None:
    """Return the proven contact of the run's message, or None when none came."""
    contact = context.start.data.get("contact")
    if not contact:
        return None
    return Recipient(channel=contact["channel"], address=contact["address"])


def language_of(context: StepContext) -> str:
    """Return the language to write in: the person's, when we have its texts, else French."""
    asked = str(context.start.data.get("language") or "fr").partition("-")[0].lower()
    return asked if ("library.code", asked) in _TEXTS else "fr"


def text_of(template: str, context: StepContext, *, keys: HubKeys, public_url: str) -> Text | None:
    """Write a message, or return None when what it tells does not exist (yet)."""
    values = _VALUES[template](context, keys, public_url)
    if values is None:
        return None
    language = language_of(context)
    body = _TEXTS[template, language].format_map(values)
    return Text(subject=_SUBJECTS[template, language], body=lint(body).text)
