"""When a message to a person may leave: at once, or when the hours in which people are written to begin.

The city says hours by kind of message. Marketing never leaves on a public holiday. What a person just
asked for on our own page, a code above all, is never put off. Hours are those of where the person
lives: a commune overseas has its own clock.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from orchestrator.engine.journey import StepContext
from orchestrator.services.contact_hours import ContactHours
from orchestrator.services.public_holidays import is_public_holiday
from orchestrator.services.signups import SOURCE

MARKETING, SERVICE = "marketing", "service"
_MARKETING_PURPOSES: Final = frozenset({"library.news", "recommendation"})
_DEFAULT_ZONE: Final = "Europe/Paris"
_OVERSEAS: Final = {
    "971": "America/Guadeloupe",
    "972": "America/Martinique",
    "973": "America/Cayenne",
    "974": "Indian/Reunion",
    "975": "America/Miquelon",
    "976": "Indian/Mayotte",
    "977": "America/St_Barthelemy",
    "978": "America/Marigot",
    "986": "Pacific/Wallis",
    "987": "Pacific/Tahiti",
    "988": "Pacific/Noumea",
}
"""Zones by the first three characters of a commune's INSEE code, where it is not the city's own."""


class InForce(Protocol):
    """One revision of the configuration."""

    @property
    def city(self) -> Mapping[str, Any]:
        """The city as written."""

    @property
    def policies(self) -> Mapping[str, Any]:
        """Its policies as written."""


class OfferInForce(Protocol):
    """The configuration in force."""

    def current(self) -> InForce:
        """Return the one in force."""


class QuietHours:
    """The hours of the configuration in force."""

    def __init__(self, offer: OfferInForce) -> None:
        self._offer = offer

    def may_send_at(self, purpose: str, context: StepContext) -> datetime:
        """Return the moment a message may leave: the context's own, or a later one."""
        kind = kind_of(purpose, context.start.source)
        hours = self.of(kind, str(context.start.data.get("commune") or "")) if kind else None
        return hours.allowed_from(context.now) if hours else context.now

    def of(self, kind: str, commune: str = "") -> ContactHours | None:
        """Return the hours of a kind of message at a commune; None when the city said none."""
        current = self._offer.current()
        written = (current.policies.get("quiet_hours") or {}).get(kind)
        if written is None:
            return None
        own = str(current.city.get("timezone") or _DEFAULT_ZONE)
        zone = ZoneInfo(_OVERSEAS.get(commune[:3], own))
        closed = is_public_holiday if kind == MARKETING else None
        return ContactHours.read(written, zone, is_closed=closed)


def kind_of(purpose: str, source: str) -> str | None:
    """Return the kind of a message; None for what the person just asked for themselves."""
    if purpose in _MARKETING_PURPOSES:
        return MARKETING
    return None if source == SOURCE else SERVICE
