"""The proof of consent inside an event: what it must show, and what it lets through.

A partner's consent is not ours to enjoy: the text the person saw must be one we know, by version
and digest, must name the purpose, and must name us. Otherwise the event counts as one without
proof, and what it says of the person is dropped before anything is stored.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from schemas.cloudevents import read_moment
from schemas.fields import LanguageTag, Moment, OneOf, Purpose, Sha256, Text
from schemas.pii import NOT_PERSONAL, pii
from schemas.strict import ListOf, Strict

HUB: Final = "parvis"
PREREGISTRATION: Final = "library.preregistration"
CODE_DELIVERY: Final = "access_code.delivery"
CHANNELS: Final = ("sms", "email", "web_push", "post", "none")
METHODS: Final = ("box", "button", "desk", "verification_code")
_CLOCK_DIFFERENCE: Final = timedelta(minutes=5)


class ConsentProofSchema(Strict):
    """The members of a proof, all of them required."""

    purposes = ListOf(Purpose(), required=True)
    channel = OneOf(*CHANNELS, required=True)
    notice_version = Text(at_most=40, required=True, metadata=NOT_PERSONAL)
    notice_sha256 = Sha256(required=True)
    method = OneOf(*METHODS, required=True)
    collected_at = Moment(required=True)
    locale = LanguageTag(required=True)
    collected_by = Text(required=True, metadata=pii("reference"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentProof:
    """What a partner says it showed and got; members as the schema normalised them."""

    purposes: tuple[str, ...]
    channel: str
    notice_version: str
    notice_sha256: str
    method: str
    collected_at: datetime
    locale: str
    collected_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One text of our catalogue, in one version and language."""

    sha256: str
    purposes: frozenset[str]
    recipients: frozenset[str]


Notices = Mapping[tuple[str, str], Notice]


def read_proof(data: Mapping[str, Any]) -> ConsentProof | None:
    """Return the proof that validated event data carries, None when it carries none."""
    members = data.get("consent")
    if members is None:
        return None
    moment = read_moment(members["collected_at"])
    if moment is None:
        return None
    return ConsentProof(
        **{**members, "purposes": tuple(members["purposes"]), "collected_at": moment}
    )


def proves(
    proof: ConsentProof,
    purpose: str,
    notices: Notices,
    *,
    recipient: str = HUB,
    now: datetime | None = None,
) -> bool:
    """Tell whether a proof holds for one purpose.

    Its text must be in ``notices`` under (version, locale) with the same digest, be about the
    purpose and name ``recipient``. With ``now``, a proof collected later than that holds nothing.
    """
    notice = notices.get((proof.notice_version, proof.locale))
    if notice is None or notice.sha256 != proof.notice_sha256:
        return False
    if now is not None and proof.collected_at > now + _CLOCK_DIFFERENCE:
        return False
    is_about = purpose in proof.purposes and purpose in notice.purposes
    return is_about and recipient in notice.recipients


def proven_purposes(
    data: Mapping[str, Any],
    notices: Notices,
    *,
    recipient: str = HUB,
    now: datetime | None = None,
) -> frozenset[str]:
    """Return the purposes that validated event data proves."""
    proof = read_proof(data)
    if proof is None:
        return frozenset()
    return frozenset(
        purpose
        for purpose in proof.purposes
        if proves(proof, purpose, notices, recipient=recipient, now=now)
    )


def minimise(
    data: Mapping[str, Any], proven: Collection[str]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return event data without what no proof lets through, and the names of what was dropped.

    ``person`` needs the purpose of pre-registration, ``contact`` that of sending the code, by the
    very channel the proof names.
    """
    allowed = {
        "person": PREREGISTRATION in proven,
        "contact": CODE_DELIVERY in proven and _is_same_channel(data),
    }
    dropped = tuple(name for name, is_allowed in allowed.items() if name in data and not is_allowed)
    kept = {name: member for name, member in data.items() if name not in dropped}
    return kept, dropped


def _is_same_channel(data: Mapping[str, Any]) -> bool:
    contact, consent = data.get("contact"), data.get("consent")
    return bool(contact and consent and contact["channel"] == consent["channel"])
