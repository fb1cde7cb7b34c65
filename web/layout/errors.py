"""Error pages people can read: what happened, and what to do now. No page shows the cause."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import Response, make_response, render_template
from flask_babel import lazy_gettext as _
from werkzeug.exceptions import HTTPException

from schemas.errors import ParvisError
from web.layout.headers import secure


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorText:
    """The two sentences of an error page."""

    title: Any
    advice: Any


_TEXTS: Final = {
    400: ErrorText(
        title=_("La demande n'a pas été comprise"),
        advice=_("Revenez à la page précédente et recommencez."),
    ),
    403: ErrorText(
        title=_("Cette page ne vous est pas ouverte"),
        advice=_("Revenez à l'accueil."),
    ),
    404: ErrorText(
        title=_("Cette page n'existe pas"),
        advice=_("Vérifiez l'adresse, ou revenez à l'accueil."),
    ),
    405: ErrorText(
        title=_("Cette page ne s'ouvre pas ainsi"),
        advice=_("Revenez à l'accueil et suivez les liens."),
    ),
    413: ErrorText(
        title=_("Ce que vous avez envoyé est trop grand"),
        advice=_("Revenez à la page précédente et raccourcissez votre saisie."),
    ),
    429: ErrorText(
        title=_("Trop de demandes à la fois"),
        advice=_("Patientez quelques minutes avant de réessayer."),
    ),
    500: ErrorText(
        title=_("Le service a rencontré un problème"),
        advice=_("Réessayez dans quelques minutes. Votre bibliothèque peut aussi vous inscrire."),
    ),
    503: ErrorText(
        title=_("Le service est momentanément indisponible"),
        advice=_(
            "Rien n'a été enregistré. Réessayez dans une minute ; "
            "votre bibliothèque peut aussi vous inscrire sur place."
        ),
    ),
}


def error_page(error: Exception, *, referrer: str, scheme: str) -> Response:
    """Return the page for an error, whatever face it happened on."""
    response = error_answer(error, texts=_TEXTS, template="layout/error.html")
    return secure(response, referrer=referrer, scheme=scheme)


def error_answer(error: Exception, *, texts: Mapping[int, ErrorText], template: str) -> Response:
    """Return the answer to an error in a face's own words; those of 400 and 500 serve for the rest."""
    status = _status(error)
    text = texts.get(status) or texts[400 if status < 500 else 500]
    response = make_response(render_template(template, text=text, status=status), status)
    if (after := getattr(error, "retry_after", None)) is not None:
        response.headers["Retry-After"] = str(int(after))
    if methods := getattr(error, "valid_methods", None):
        response.headers["Allow"] = ", ".join(sorted(methods))
    return response


def _status(error: Exception) -> int:
    if isinstance(error, ParvisError):
        return error.status
    return (error.code or 500) if isinstance(error, HTTPException) else 500
