"""Error pages of the console, for people who can do something about it."""

from dataclasses import dataclass
from typing import Any, Final

import structlog
from flask import Blueprint, Response, make_response, render_template, request
from flask_babel import lazy_gettext as _
from werkzeug.exceptions import HTTPException

from schemas.errors import ParvisError

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemText:
    """The two sentences of a page: what happened, what to do."""

    title: Any
    advice: Any


_TEXTS: Final = {
    400: ProblemText(
        title=_("La demande n'a pas été comprise"),
        advice=_("Revenez à la page précédente et recommencez."),
    ),
    404: ProblemText(
        title=_("Il n'y a rien à cette adresse"),
        advice=_(
            "L'exécution a pu être supprimée à la fin de sa durée de conservation, ou l'adresse "
            "est mal recopiée."
        ),
    ),
    500: ProblemText(
        title=_("La console a rencontré un problème"),
        advice=_(
            "Il est écrit au journal technique. Les échanges continuent : la console ne fait que "
            "les montrer."
        ),
    ),
    503: ProblemText(
        title=_("La base de données ne répond pas"),
        advice=_(
            "Rien n'est perdu : les événements refusés en ce moment seront renvoyés par leurs "
            "émetteurs. Vérifiez PostgreSQL, puis rechargez cette page."
        ),
    ),
}


def add_answers(blueprint: Blueprint) -> None:
    """Answer errors in the console's own words."""

    def answer(error: Exception) -> Response:
        status = _status(error)
        text = _TEXTS.get(status) or _TEXTS[400 if status < 500 else 500]
        page = render_template("console/problem.html", text=text, status=status)
        response = make_response(page, status)
        if (after := getattr(error, "retry_after", None)) is not None:
            response.headers["Retry-After"] = str(int(after))
        return response

    def broke(error: Exception) -> Response:
        _log.error("page failed", route=request.endpoint, error=type(error).__name__)
        return answer(error)

    for kind in (HTTPException, ParvisError):
        blueprint.register_error_handler(kind, answer)
    blueprint.register_error_handler(Exception, broke)


def _status(error: Exception) -> int:
    if isinstance(error, ParvisError):
        return error.status
    return (error.code or 500) if isinstance(error, HTTPException) else 500
