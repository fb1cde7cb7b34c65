"""Opened secrets, kept in memory while the configuration they belong to is in force."""

from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.services.ports.offer import SecretStore
from schemas.errors import ConfigurationError


class OpenedSecrets:
    """Gives a profile its secrets; reads them again when the configuration moved."""

    def __init__(self, store: SecretStore, revision: Callable[[], int]) -> None:
        self._store = store
        self._revision = revision
        self._known: tuple[int, dict[str, str]] = (-1, {})

    def resolved(self, settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """Split a profile's settings into plain values and opened secrets.

        Raises:
            ConfigurationError: a secret has no value, or was sealed under another master key.
        """
        names = {
            setting: str(value["secret"])
            for setting, value in settings.items()
            if isinstance(value, dict)
        }
        opened = self._opened(frozenset(names.values()))
        plain = {name: value for name, value in settings.items() if name not in names}
        return plain, {setting: opened[name] for setting, name in names.items()}

    def _opened(self, names: frozenset[str]) -> Mapping[str, str]:
        revision = self._revision()
        if self._known[0] != revision:
            self._known = (revision, {})
        known = self._known[1]
        if not names <= known.keys():
            known.update(self._store.values(names))
        missing = sorted(names.difference(known))
        if missing:
            raise ConfigurationError(
                *(f"Le secret « {name} » n'a pas de valeur." for name in missing)
            )
        return known
