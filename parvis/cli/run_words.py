"""What the command line calls states, outcomes and acts of runs, and how it reads spans of time."""

import re
from datetime import datetime, timedelta
from typing import Final

import click

from parvis.cli.french import UnfitValueError
from schemas import clock

STATUSES: Final = {
    "ready": "en cours",
    "waiting_timer": "nouvelle tentative prévue",
    "waiting_signal": "en attente",
    "waiting_human": "attend une décision",
    "compensating": "annulation en cours",
    "compensated": "annulée, effets repris",
    "cancelled": "annulée",
    "failed": "abandonnée",
    "stuck": "en rebut",
    "done": "terminée",
}
OUTCOMES: Final = {
    "ok": "fait",
    "error": "échec",
    "timeout": "délai dépassé",
    "unknown": "issue inconnue",
    "skipped": "sautée",
    "deferred": "reportée",
    "compensated": "repris",
}
ACTS: Final = {
    "retry": "relancée",
    "resume": "repartie sans attendre",
    "skip": "étape sautée",
    "discard": "écartée",
    "restart": "recommencée",
    "fork": "reprise d'une étape",
    "cancel": "arrêt demandé",
    "decide": "décision prise",
    "signal": "signal donné",
}
TASKS: Final = {
    "decision": "décision attendue",
    "step_failed": "l'étape a échoué",
    "undo_failed": "l'annulation a échoué",
}
_SPAN: Final = re.compile(r"(\d{1,4})(min|h|d)", re.ASCII)
_UNITS: Final = {"min": 60, "h": 3600, "d": 86400}


def standing(status: str, waiting_for: str | None) -> str:
    """Return what a run does, with what it waits for when its status alone would mislead."""
    what, _, name = (waiting_for or "").partition(":")
    if status == "waiting_timer" and what == "timer":
        return "en pause"
    if status == "waiting_timer" and what == "system":
        return f"attend le système {name}"
    return STATUSES.get(status, status)


class Since(click.ParamType[datetime]):
    """A moment in the past, written as the span since then."""

    name = "durée"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the moment; ``90min``, ``12h``, ``3d``."""
        read = _SPAN.fullmatch(str(value))
        if read is None:
            raise UnfitValueError("une durée s'écrit 90min, 12h ou 3d", ctx, param)
        return clock.utcnow() - timedelta(seconds=int(read[1]) * _UNITS[read[2]])
