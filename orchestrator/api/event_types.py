"""``GET /v1/event-types``: what one partner may send, and the texts its proofs may point at.

An SDK keeps the answer and asks again with ``If-None-Match``: the tag is a digest of the content,
the same in every process.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from orchestrator.services.intake import OPEN_TO_ALL
from orchestrator.services.ports.partners import ConsentCatalogue, Partner
from schemas import events
from schemas.events import EventType

_FREE_TO_ALL: Final = OPEN_TO_ALL
_NEEDS: Final[Mapping[str, str]] = {
    "person": "library.preregistration",
    "contact": "access_code.delivery",
}


def event_types(partner: Partner, catalogue: ConsentCatalogue) -> dict[str, Any]:
    """Return the types, their schemas and members, the purposes and every notice."""
    allowed = partner.allowed_events | _FREE_TO_ALL
    return {
        "partner": partner.id,
        "types": [
            _described(known)
            for name, known in events.catalogue().items()
            if name in allowed and not known.is_own_page_only
        ],
        "purposes": [
            {"id": row.id, "version": row.version, "title": row.title, "text": row.text}
            for row in catalogue.purposes
        ],
        "notices": [
            {
                "version": version,
                "locale": locale,
                "sha256": notice.sha256,
                "purposes": sorted(notice.purposes),
                "recipients": sorted(notice.recipients),
            }
            for (version, locale), notice in sorted(catalogue.notices.items())
        ],
    }


def tag_of(body: bytes) -> str:
    """Return the entity tag of an answer."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def is_known(tag: str, if_none_match: str) -> bool:
    """Tell whether the caller holds this version (RFC 9110 section 13.1.2, weak comparison)."""
    known = [item.strip().removeprefix("W/") for item in if_none_match[:2000].split(",")]
    return "*" in known or tag in known


def _described(known: EventType) -> dict[str, Any]:
    schema = known.describe()
    members = schema.get("properties", {})
    return {
        "type": known.name,
        "title": known.title,
        "has_subject": known.has_subject,
        "fields": sorted(members),
        "proof_needed": {name: need for name, need in _NEEDS.items() if name in members},
        "schema": schema,
        "example": known.example,
    }
