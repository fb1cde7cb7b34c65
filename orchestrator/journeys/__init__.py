"""The journeys themselves, one file each, readable by a librarian.

A journey is any ``Journey`` at the top of a module of this package. Old versions stay in their file
until no run is on them; the newest version of each name is the one that new messages start.
"""

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module

from orchestrator.engine.definitions import check_together
from orchestrator.engine.journey import Journey
from schemas.errors import ConfigurationError

__all__ = ["all_journeys", "journey_for", "newest", "route"]


@cache
def all_journeys() -> Mapping[tuple[str, int], Journey]:
    """Return every version of every journey, by (name, version); refuses definitions that are wrong."""
    found: dict[tuple[str, int], Journey] = {}
    for module in pkgutil.iter_modules(__path__):
        for value in vars(import_module(f"{__name__}.{module.name}")).values():
            if isinstance(value, Journey):
                known = found.setdefault((value.name, value.version), value)
                if known is not value:
                    fault = f"{value.name} v{value.version} : deux définitions de cette version."
                    raise ConfigurationError(fault)
    check_together(found.values())
    return found


def journey_for(name: str, version: int) -> Journey | None:
    """Return one version of a journey, or None when this code does not know it."""
    return all_journeys().get((name, version))


@cache
def _newest() -> Mapping[str, Journey]:
    ordered = sorted(all_journeys().values(), key=lambda known: known.version)
    return {journey.name: journey for journey in ordered}


def newest(name: str) -> Journey | None:
    """Return the version of a journey that new runs start with, or None."""
    return _newest().get(name)


@cache
def _routes() -> Mapping[str, Journey]:
    return {kind: journey for journey in _newest().values() for kind in journey.starts_on}


def route(message_type: str) -> Journey | None:
    """Return the journey that a type of message starts, or None when it starts none."""
    return _routes().get(message_type)
