"""How many messages a text costs, and when a marketing text may leave.

A GSM-7 message holds 160 septets, or 153 in each of several; an UCS-2 one 70 units, or 67. A character of
two units is never split across parts.
"""

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

__all__ = ["deferred", "is_gsm", "segments"]

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = frozenset("€^{}[]~\\|\f")
PARIS = ZoneInfo("Europe/Paris")
OPENS, CLOSES = time(8), time(22)
SUNDAY = 6


def is_gsm(text: str) -> bool:
    """Whether every character is in the GSM-7 alphabet."""
    return all(sign in BASIC or sign in EXTENDED for sign in text)


def segments(text: str, *, coding: str | None = None) -> int:
    """The number of messages that the text makes."""
    if is_gsm(text) and coding != "8bit":
        return _parts([2 if sign in EXTENDED else 1 for sign in text], alone=160, joined=153)
    return _parts([len(sign.encode("utf-16-le")) // 2 for sign in text], alone=70, joined=67)


def _parts(costs: Iterable[int], *, alone: int, joined: int) -> int:
    costs = list(costs)
    if sum(costs) <= alone:
        return 1
    parts, used = 1, 0
    for cost in costs:
        if used + cost > joined:
            parts, used = parts + 1, 0
        used += cost
    return parts


def deferred(now: datetime) -> datetime:
    """When a marketing message given now leaves: at once, at 08:00, or on Monday."""
    local = now.astimezone(PARIS)
    day = local.date()
    if local.time() >= CLOSES:
        day += timedelta(days=1)
    elif local.time() >= OPENS and day.weekday() != SUNDAY:
        return now
    if day.weekday() == SUNDAY:
        day += timedelta(days=1)
    return datetime.combine(day, OPENS, tzinfo=PARIS).astimezone(now.tzinfo)
