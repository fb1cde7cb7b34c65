"""What the citizen pages use, named once; the composition root fills it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.services.access_codes import AccessCodes
from orchestrator.services.citizen_accounts import CitizenAccounts
from orchestrator.services.library_cards import LibraryCards
from orchestrator.services.placements import Placements
from orchestrator.services.ports.library import Places
from orchestrator.services.sign_in import SignIn
from orchestrator.services.signups import Signups


@dataclass(frozen=True, slots=True, kw_only=True)
class CityCard:
    """The city as its pages show it; ``contact`` and ``telephone`` are shown when known."""

    name: str
    contact: str | None = None
    telephone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CitizenServices:
    """The use cases of the citizen pages.

    ``result_wait_seconds`` is how long the last page waits for a code before it shows itself
    without one. ``franceconnect`` is its alias at the realm, None when the city does not offer it.
    """

    placements: Placements
    signups: Signups
    access_codes: AccessCodes
    places: Places
    city: Callable[[], CityCard]
    sign_in: SignIn
    accounts: CitizenAccounts
    cards: LibraryCards
    franceconnect: str | None = None
    result_wait_seconds: float = 2.0
    sleep: Callable[[float], None] = time.sleep
