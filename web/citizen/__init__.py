"""Poster landing, sign-up, activation: pages that work without script, on a telephone, in a hurry."""

from web.citizen.services import CitizenServices, CityCard
from web.citizen.setup import create_blueprint

__all__ = ["CitizenServices", "CityCard", "create_blueprint"]
