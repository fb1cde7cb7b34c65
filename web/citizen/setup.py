"""Puts the citizen pages together: one blueprint, dressed by the layout."""

from flask import Blueprint

from web.citizen import (
    activation,
    cards,
    information,
    landing,
    proofs,
    sign_in,
    signup,
    space,
)
from web.citizen.services import CitizenServices
from web.layout import Face, dress


def create_blueprint(services: CitizenServices) -> Blueprint:
    """Return the citizen pages, wired to their services."""
    blueprint = Blueprint("citizen", __name__, template_folder="templates")
    face = Face(name="citizen", city=lambda: services.city().name, referrer="no-referrer")
    dress(blueprint, face)
    for pages in (information, landing, signup, activation, sign_in, space, cards, proofs):
        pages.add_pages(blueprint, services)
    return blueprint
