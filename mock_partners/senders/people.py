"""Newcomers who do not exist: names, e-mails under example.org, telephones reserved for fiction."""

import random
import unicodedata
from dataclasses import dataclass

__all__ = ["Newcomer", "invent"]

GIVEN_NAMES = """Inès Léo Zoé Malo Chloé Hugo Aïcha Noé Élise Karim Jeanne Théo Maëlle Yanis Agathe Rayan
Solène Émile Fatou Gaspard Noémie Idriss Françoise Anaïs"""
FAMILY_NAMES = """Roumanille Sauvaire Barthélemy Guérin Escoffier Nouvel Berthon Castellan Dauphin Estève
Fabrègue Gaubert Hermelin Isnard Jourdan Kerbrat Lagarde Mazel Nègre Ollivier Pascalis
Queyras"""
LANGUAGES = ("fr", "fr", "fr", "en", "ar")
AGES = ("18_25", "26_64", "65_plus")
LAST_NUMBER = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """One invented person."""

    given_name: str
    family_name: str
    phone: str
    email: str
    language: str
    age_band: str


def invent(chances: random.Random) -> Newcomer:
    """Draw a person; the same generator state gives the same person."""
    given, family = chances.choice(GIVEN_NAMES.split()), chances.choice(FAMILY_NAMES.split())
    number = chances.randrange(LAST_NUMBER)
    return Newcomer(
        given_name=given,
        family_name=family,
        phone=f"+3363998{number:04d}",
        email=f"{_plain(given)}.{_plain(family)}{number}@example.org",
        language=chances.choice(LANGUAGES),
        age_band=chances.choice(AGES),
    )


def _plain(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name)
    return "".join(sign for sign in decomposed if sign.isalpha()).lower()
