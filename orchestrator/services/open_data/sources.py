"""Who publishes each open data file, under which licence, and how old the shipped copy is.

The open licences ask for the source and the date of its last update: the page on the data shows
these lines, ``parvis/data/NOTICE.md`` says the same in a file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

UNDATED = "édition non datée"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Attribution of one file; texts are French, as shown."""

    slug: str
    file: str
    publisher: str
    title: str
    licence: str
    shipped_edition: str
    shipped_date: date | None
    changes: str


COMMUNES = Source(
    slug="insee.communes",
    file="communes_paca.json",
    publisher="INSEE, DGCL, La Poste",
    title=(
        "Code officiel géographique 2026, "
        "par la bibliothèque @etalab/decoupage-administratif, version 6.0.0"
    ),
    licence="Licence Ouverte / Open Licence (données), MIT (code)",
    shipped_edition="Code officiel géographique au 1er janvier 2026",
    shipped_date=date(2026, 1, 1),
    changes="modifié : extrait régional, corrections listées",
)
CENTROIDS = Source(
    slug="parvis.centroids",
    file="communes_paca_centroides.csv",
    publisher="Parvis, d'après IGN (Admin Express 2018) et INSEE",
    title="Centroïdes des communes, calculés sur des contours de 2018 simplifiés à 25 %",
    licence="Licence Ouverte / Open Licence",
    shipped_edition="contours de 2018, codes de 2026",
    shipped_date=None,
    changes="modifié : extrait régional, corrections listées ; contours non fournis",
)
LIBRARIES = Source(
    slug="culture.libraries",
    file="bibliotheques_paca.csv",
    publisher="Ministère de la Culture (data.gouv.fr)",
    title=(
        "Les bibliothèques des collectivités territoriales : "
        "adresses et données d'activité"  # the publisher's own title
    ),
    licence="Licence Ouverte / Open Licence 2.0 (Etalab)",
    shipped_edition=UNDATED,
    shipped_date=None,
    changes="modifié : extrait régional, corrections listées",
)
MUSEUMS = Source(
    slug="culture.museums",
    file="musees_paca.json",
    publisher="Ministère de la Culture, Muséofile (data.gouv.fr)",
    title="Liste et localisation des musées de France",
    licence="Licence Ouverte / Open Licence",
    shipped_edition=UNDATED,
    shipped_date=None,
    changes="modifié : extrait régional, corrections listées",
)

SOURCES = (COMMUNES, CENTROIDS, LIBRARIES, MUSEUMS)  # in the order they are read
SHIPPED_DATES: Mapping[str, date] = MappingProxyType(
    {source.file: source.shipped_date for source in SOURCES if source.shipped_date}
)
