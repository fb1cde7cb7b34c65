"""Which communes exist, as far as our copy of the official geographic code tells.

The copy holds whole departments. A code of another department may be right and cannot be checked:
it passes, and its run ends outside our territories. A partner need not know our map.
"""

from dataclasses import dataclass, field
from typing import Final

from orchestrator.services.open_data.gazetteer import DISTRICTS, CommuneIndex, resolve_commune

_OVERSEAS: Final = frozenset(
    {"971", "972", "973", "974", "975", "976", "977", "978", "986", "987", "988"}
)
_MAINLAND: Final = frozenset(
    {f"{number:02d}" for number in range(1, 96) if number != 20} | {"2A", "2B"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommuneDirectory:
    """Resolves INSEE codes (implements ``ports.partners.Communes``)."""

    index: CommuneIndex
    _held: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        held = frozenset(_department(code) for code in self.index.current)
        object.__setattr__(self, "_held", held)

    def resolve(self, code: str) -> str | None:
        """Return today's commune of a code, a former one or a district's included."""
        known = resolve_commune(code, self.index)
        if known is not None:
            return known
        department = _department(code)
        if department in self._held or department not in _MAINLAND | _OVERSEAS:
            return None
        return DISTRICTS.get(code, code)


def _department(code: str) -> str:
    return code[:3] if code.startswith(("97", "98")) else code[:2]
