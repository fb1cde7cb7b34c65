"""Pages that tell: home, libraries, data, accessibility."""

from collections.abc import Sequence
from typing import Any, Final

from flask import Blueprint, abort, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from orchestrator.services.purposes import RECIPIENTS, purpose_of
from orchestrator.services.signups import poster_notice
from web.citizen.forms import PostalCodeForm
from web.citizen.services import CitizenServices
from web.layout import languages
from web.layout.sources import SOURCES

_BASES: Final = {
    "consent": _("votre accord, que vous pouvez retirer"),
    "contract": _("le service que vous demandez"),
}


def add_pages(blueprint: Blueprint, services: CitizenServices) -> None:
    """Add the pages that only tell."""

    @blueprint.get("/")
    def home() -> ResponseReturnValue:
        return render_template(
            "citizen/home.html",
            form_finder=PostalCodeForm(formdata=None),
            can_sign_in=services.sign_in.is_open,
        )

    @blueprint.get("/bibliotheques")
    def libraries() -> ResponseReturnValue:
        form = PostalCodeForm(request.args)
        if "code_postal" not in request.args:
            return render_template("citizen/libraries.html", form_finder=form, found=None)
        if not form.validate():
            return render_template("citizen/libraries.html", form_finder=form, found=None), 422
        communes = services.places.communes_of(str(form.code_postal.data))
        asked = request.args.get("commune")
        chosen = next((commune for commune in communes if commune.code == asked), None)
        chosen = chosen or next(iter(communes), None)
        found = services.places.libraries_near(chosen.code, most=6) if chosen else ()
        page = render_template(
            "citizen/libraries.html",
            form_finder=form,
            found=found,
            communes=communes,
            chosen=chosen,
        )
        response = make_response(page)
        response.headers["Cache-Control"] = "private, no-cache"
        return response

    @blueprint.get("/a-propos-des-donnees")
    def data() -> ResponseReturnValue:
        return render_template(
            "citizen/data.html", purposes=_purposes(), sources=SOURCES, card=services.city()
        )

    @blueprint.get("/accessibilite")
    def accessibility() -> ResponseReturnValue:
        return render_template("citizen/accessibility.html", card=services.city())

    @blueprint.route("/<page:_rest>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def nothing_here(_rest: str) -> ResponseReturnValue:
        abort(404)


def _purposes() -> Sequence[dict[str, Any]]:
    """Return what the form asks for and why, in the language of the page."""
    tag = languages.current().tag
    found = (purpose_of(purpose) for purpose in poster_notice(tag).purposes)
    return [
        {
            "title": purpose.title.get(tag, purpose.title["fr"]),
            "text": purpose.text.get(tag, purpose.text["fr"]),
            "basis": _BASES[purpose.legal_basis],
            "recipients": [RECIPIENTS[name].get(tag, name) for name in purpose.recipients],
        }
        for purpose in found
        if purpose is not None
    ]
