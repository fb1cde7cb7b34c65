"""Error pages of the console, for people who can do something about it."""

from typing import Final

import structlog
from flask import Blueprint, Response, request
from flask_babel import lazy_gettext as _
from werkzeug.exceptions import HTTPException

from schemas.errors import ParvisError
from web.layout import ErrorText, error_answer

_log = structlog.get_logger()


_TEXTS: Final = {
    400: ErrorText(
        title=_("La demande n'a pas été comprise"),
        advice=_("Revenez à la page précédente et recommencez."),
    ),
    404: ErrorText(
        title=_("Il n'y a rien à cette adresse"),
        advice=_(
            "L'exécution a pu être supprimée à la fin de sa durée de conservation, ou l'adresse "
            "est mal recopiée."
        ),
    ),
    500: ErrorText(
        title=_("La console a rencontré un problème"),
        advice=_(
            "Il est écrit au journal technique. Les échanges continuent : la console ne fait que "
            "les montrer."
        ),
    ),
    503: ErrorText(
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
        return error_answer(error, texts=_TEXTS, template="console/problem.html")

    def broke(error: Exception) -> Response:
        _log.error("page failed", route=request.endpoint, error=type(error).__name__)
        return answer(error)

    for kind in (HTTPException, ParvisError):
        blueprint.register_error_handler(kind, answer)
    blueprint.register_error_handler(Exception, broke)
