"""The communes as an index: which commune a code means, and how French says its name."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from orchestrator.services.open_data.rows import CommuneRow
from orchestrator.services.open_data.text import folded

# INSEE's TNCC: (article inside the name, what replaces it after "de")
_LINKS = {
    0: ("", "de "),
    1: ("", "d'"),
    2: ("Le ", "du "),
    3: ("", "de "),  # La Brillanne keeps its article: de La Brillanne
    4: ("Les ", "des "),
    5: ("", "de "),  # de L'Escale
    6: ("Aux ", "des "),
    7: ("", "de "),  # Las
    8: ("", "de "),  # Los
}


def _districts() -> Mapping[str, str]:
    cities = {
        "13055": range(13201, 13217),
        "69123": range(69381, 69390),
        "75056": range(75101, 75121),
    }
    return {str(code): city for city, codes in cities.items() for code in codes}


DISTRICTS: Mapping[str, str] = MappingProxyType(_districts())


@dataclass(frozen=True, slots=True, kw_only=True)
class CommuneIndex:
    """Communes by code, by former code and by folded name (names are not unique)."""

    current: Mapping[str, CommuneRow]
    former: Mapping[str, str]
    names: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, communes: Iterable[CommuneRow]) -> Self:
        """Index the communes; of two that had the same former code the first keeps it."""
        current = {commune.code: commune for commune in communes}
        former: dict[str, str] = {}
        names: dict[str, list[str]] = defaultdict(list)
        for row in current.values():
            names[folded(row.name)].append(row.code)
            for old in row.former_codes:
                former.setdefault(old, row.code)
        return cls(
            current=MappingProxyType(current),
            former=MappingProxyType(former),
            names=MappingProxyType({name: tuple(codes) for name, codes in names.items()}),
        )


def resolve_commune(code: str, index: CommuneIndex) -> str | None:
    """Return the code of today's commune; None when no commune we know has or had this code.

    A district of Paris, Lyon or Marseille is its commune; a former code is its successor, unless
    it is in use again.
    """
    commune = DISTRICTS.get(code, code)
    if commune in index.current:
        return commune
    return index.former.get(commune)


def commune_with_preposition(name: str, link: int) -> str:
    """Return "de" and the name as French says it: de Barles, d'Aiglun, du Brusquet, des Mées."""
    article, preposition = _LINKS.get(link, ("", "de "))
    if not name.startswith(article):
        return f"de {name}"
    return preposition + name.removeprefix(article)


def display_name(place: str, commune: str) -> str:
    """Return a place's name that stands alone: the commune is added unless it is already said."""
    words, place_words = f" {folded(commune)} ", f" {folded(place)} "
    return place if words in place_words else f"{place} ({commune})"
