"""CloudEvents as the partners build them: arrivals, scanned posters, withdrawn contacts.

Pure builders; nothing here signs or sends. The notice a proof of consent refers to is an argument: its
version and digest are the hub's to tell (``GET /v1/event-types``).
"""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from mock_partners.clock import rfc3339
from mock_partners.senders.people import Newcomer

__all__ = [
    "ARRIVALS",
    "TYPES",
    "Notice",
    "Sharing",
    "arrival",
    "cloud_event",
    "new_event_id",
    "proof",
]

ARRIVALS = frozenset(
    {
        "utility.contract_opened.v1",
        "lease.signed.v1",
        "student_card.issued.v1",
        "sport.membership_opened.v1",
    }
)
TYPES = ARRIVALS | {"poster.scanned.v1", "contact.withdrawn.v1"}
PREREGISTRATION, DELIVERY = "library.preregistration", "access_code.delivery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """The text that was shown when the consent was collected."""

    version: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """What the newcomer let the partner pass on, and under which notice."""

    person: bool = False
    channel: str | None = None
    notice: Notice | None = None


def new_event_id(chances: random.Random, now: datetime) -> str:
    """A UUIDv7."""
    value = int(now.timestamp() * 1000) << 80 | 0x7 << 76 | chances.getrandbits(12) << 64
    value |= 0b10 << 62 | chances.getrandbits(62)
    text = f"{value:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def proof(
    purposes: Iterable[str],
    *,
    notice: Notice,
    channel: str,
    collected_at: datetime,
    collected_by: str,
    locale: str = "fr",
) -> dict[str, object]:
    """The proof of consent that goes with a name or a contact."""
    return {
        "purposes": list(purposes),
        "channel": channel,
        "notice_version": notice.version,
        "notice_sha256": notice.sha256,
        "method": "box",
        "collected_at": rfc3339(collected_at),
        "locale": locale,
        "collected_by": collected_by,
    }


def arrival(
    event_type: str,
    *,
    commune: str,
    newcomer: Newcomer,
    sharing: Sharing,
    happened_at: datetime,
    collected_by: str,
) -> dict[str, object]:
    """The `data` of an arrival: the commune always, the person only as far as it was shared."""
    data: dict[str, object] = {"commune": commune, **_own_members(event_type, happened_at.date())}
    data |= {"language": newcomer.language, "age_band": newcomer.age_band}
    purposes: list[str] = []
    if sharing.person:
        purposes.append(PREREGISTRATION)
        data["person"] = {
            "family_name": newcomer.family_name,
            "given_name": newcomer.given_name,
        }
    if sharing.channel is not None:
        purposes.append(DELIVERY)
        address = newcomer.phone if sharing.channel == "sms" else newcomer.email
        data["contact"] = {"channel": sharing.channel, "address": address}
    if sharing.notice is not None and purposes:
        data["consent"] = proof(
            purposes,
            notice=sharing.notice,
            channel=sharing.channel or "none",
            collected_at=happened_at,
            collected_by=collected_by,
            locale=newcomer.language,
        )
    return data


def _own_members(event_type: str, today: date) -> Mapping[str, object]:
    soon = (today + timedelta(days=7)).isoformat()
    season = today.year if today.month >= 7 else today.year - 1
    members: Mapping[str, Mapping[str, object]] = {
        "utility.contract_opened.v1": {"utility": "electricity", "starts_on": soon},
        "lease.signed.v1": {"starts_on": soon, "dwelling": "flat"},
        "student_card.issued.v1": {
            "institution": "999000111",
            "valid_until": (today + timedelta(days=365)).isoformat(),
        },
        "sport.membership_opened.v1": {"sport": "tennis", "season": f"{season}-{season + 1}"},
    }
    return members[event_type]


def cloud_event(
    event_type: str,
    data: Mapping[str, object],
    *,
    source: str,
    event_id: str,
    subject: str | None,
    happened_at: datetime,
) -> dict[str, object]:
    """The whole event, structured mode."""
    event: dict[str, object] = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": event_type,
        "time": rfc3339(happened_at),
        "recordedtime": rfc3339(happened_at),
        "datacontenttype": "application/json",
        "data": data,
    }
    return event if subject is None else {**event, "subject": subject}
