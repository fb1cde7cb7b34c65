"""The open data the pages show, with the words their licences ask for."""

from dataclasses import dataclass
from typing import Any, Final

from flask_babel import lazy_gettext as _


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file: who published it, under which licence, which edition, and what we changed."""

    publisher: str
    title: str
    licence: Any
    edition: Any
    changes: Any


_CUT: Final = _("modifié : extrait régional, corrections listées")
_UNDATED: Final = _("édition non datée")
SOURCES: Final = (
    Source(
        publisher="Ministère de la Culture",
        title="Les bibliothèques des collectivités territoriales : adresses et données d'activité",
        licence=_("Licence Ouverte 2.0 (Etalab)"),
        edition=_UNDATED,
        changes=_CUT,
    ),
    Source(
        publisher="Ministère de la Culture, Muséofile",
        title="Liste et localisation des musées de France",
        licence=_("Licence Ouverte"),
        edition=_UNDATED,
        changes=_CUT,
    ),
    Source(
        publisher="INSEE, DGCL, La Poste",
        title="Code officiel géographique, codes postaux et populations",
        licence=_("Licence Ouverte"),
        edition=_("édition 2026"),
        changes=_CUT,
    ),
    Source(
        publisher="IGN, INSEE",
        title="Admin Express : centres des communes",
        licence=_("Licence Ouverte"),
        edition=_("contours de 2018"),
        changes=_("modifié : centres calculés par Parvis sur des contours simplifiés"),
    ),
)
