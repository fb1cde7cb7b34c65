"""Connected posters: which placement a scanned token means, and how often its page was opened.

The figures are aggregates: placement, day, language, family of browser. Nothing here is written
about one visit; what tells a reload from a second scan lives in memory for ten seconds.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from orchestrator.services.ports.placements import Placement, PlacementRows
from schemas import clock, ids
from schemas.keys import HubKeys, keyed_digest

LENGTH: Final = 8
PARIS: Final = ZoneInfo("Europe/Paris")
_RELOAD: Final = timedelta(seconds=10)
_BOTS: Final = re.compile(
    r"bot\b|bot/|crawl|spider|slurp|preview|facebookexternalhit|whatsapp|telegram|skype|slack|discord"
    r"|curl|wget|python|httpclient|okhttp|go-http|headlesschrome|lighthouse|monitor|uptime|scan",
    re.IGNORECASE,
)
_BROWSERS: Final = (
    ("edge", re.compile(r"Edg(?:e|A|iOS)?/")),
    ("samsung", re.compile(r"SamsungBrowser/")),
    ("opera", re.compile(r"OPR/|OPT/")),
    ("firefox", re.compile(r"Firefox/|FxiOS/")),
    ("chrome", re.compile(r"Chrome/|CriOS/")),
    ("safari", re.compile(r"Version/.*Safari/")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One opening of a poster's page, as far as counting needs it; never stored."""

    network: str
    user_agent: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a token means: its open placement, if any, and whether it was ever one of ours."""

    placement: Placement | None
    is_known: bool


class Recent:
    """Remembers keyed marks for a short while, in memory, a bounded number of them."""

    def __init__(self, within: timedelta, *, most: int = 20_000) -> None:
        self._seconds = within.total_seconds()
        self._most = most
        self._seen: OrderedDict[bytes, list[float]] = OrderedDict()

    def count(self, mark: bytes) -> int:
        """Note a mark; returns how often it was noted lately, this time included."""
        now = clock.monotonic()
        times = [at for at in self._seen.pop(mark, []) if at > now - self._seconds]
        times.append(now)
        self._seen[mark] = times[-200:]
        while len(self._seen) > self._most:
            self._seen.popitem(last=False)
        return len(times)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placements:
    """Opens posters by their token and counts what may be counted.

    ``misses_at_most`` closed tokens per network in ten minutes; the pause makes unknown and
    withdrawn ones alike and costly to try out.
    """

    rows: PlacementRows
    keys: HubKeys
    misses_at_most: int = 60
    pause_seconds: float = 0.05
    wait: Callable[[float], None] = time.sleep
    _reloads: Recent = field(default_factory=lambda: Recent(_RELOAD))
    _misses: Recent = field(default_factory=lambda: Recent(timedelta(minutes=10)))
    _reports: Recent = field(default_factory=lambda: Recent(timedelta(minutes=10)))

    def look_up(self, typed: str) -> Look:
        """Return what a token means; letters that look alike pass, closed ones take a pause."""
        found = self.rows.find(ids.read_crockford(typed, LENGTH) or "")
        if found is None or not _is_open(found):
            self.wait(self.pause_seconds)
            return Look(placement=None, is_known=found is not None)
        return Look(placement=found, is_known=True)

    def too_many_misses(self, network: str) -> bool:
        """Note a token that opened nothing; True when this network tries too many."""
        mark = keyed_digest(self.keys.bucket, b"poster.miss", network.encode())
        return self._misses.count(mark) > self.misses_at_most

    def count(self, placement: Placement, visit: Visit) -> None:
        """Count one opening of the page, unless it is a bot's or a reload."""
        if not visit.user_agent or _BOTS.search(visit.user_agent):
            return
        parts = (placement.token, visit.network, visit.user_agent, visit.language)
        mark = keyed_digest(self.keys.bucket, *(part.encode() for part in parts))
        if self._reloads.count(mark) > 1:
            return
        browser = browser_family(visit.user_agent)
        day = clock.utcnow().astimezone(PARIS).date()
        self.rows.count_scan(placement.token, day=day, language=visit.language, browser=browser)

    def report(self, placement: Placement, *, network: str) -> None:
        """Count a report that this poster looks wrong; nothing about who reports is kept."""
        parts = (b"poster.report", placement.token.encode(), network.encode())
        if self._reports.count(keyed_digest(self.keys.bucket, *parts)) > 5:
            return
        day = clock.utcnow().astimezone(PARIS).date()
        self.rows.count_suspicion(placement.token, day=day)


def browser_family(user_agent: str) -> str:
    """Return the family of a browser, ``other`` when it is none of the large ones."""
    return next((name for name, sign in _BROWSERS if sign.search(user_agent)), "other")


def _is_open(placement: Placement) -> bool:
    still = placement.valid_until is None or placement.valid_until > clock.utcnow()
    return placement.status == "live" and still


__all__ = ["Look", "Placements", "Visit", "browser_family"]
