"""The face the gateway uses: which connectors exist, and a profile opened to call them through.

Connectors are found (a module of this package with one connector in it), never registered: adding one is
adding a file.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType, ModuleType
from typing import Any

import connectors
from connectors.kit.connector import Connector
from connectors.kit.inbound import Inbound, admit
from connectors.kit.operations import Operation, operations_of
from connectors.kit.probes import sentences
from connectors.kit.transports import Opened, open_transport
from schemas import clock
from schemas.commands import Command
from schemas.errors import (
    ConfigurationError,
    InvalidMessageError,
    PartnerError,
    UnknownMessageTypeError,
)
from schemas.messages import Message
from schemas.receipts import ErasureReceipt, Exchange, ProbeLevel, ProbeResult, Receipt

LEVELS = tuple(ProbeLevel)


@cache
def catalogue() -> Mapping[str, type[Connector]]:
    """Return every connector of the house by name."""
    found: dict[str, type[Connector]] = {}
    for module in pkgutil.iter_modules(connectors.__path__):
        if module.name != "kit":
            cls = _connector_of(importlib.import_module(f"connectors.{module.name}"))
            found[cls.manifest.name] = cls
    return MappingProxyType(found)


def _connector_of(module: ModuleType) -> type[Connector]:
    here = [
        item
        for item in vars(module).values()
        if inspect.isclass(item) and issubclass(item, Connector) and item is not Connector
    ]
    if len(here) != 1:
        fault = f"{module.__name__} must hold one connector, not {len(here)}"
        raise ConfigurationError(fault)
    return here[0]


@cache
def operations(connector_name: str) -> Mapping[str, Operation]:
    """Return a connector's operations by name."""
    return operations_of(_connector(connector_name))


def open_profile(
    connector_name: str,
    profile_id: str,
    settings: Mapping[str, Any],
    secrets: Mapping[str, str],
) -> "Profile":
    """Open one system with its address and secrets; once per process and profile, after the fork.

    Nothing is connected or resolved yet.

    Raises:
        ConfigurationError: unknown connector, or settings with faults.
    """
    return Profile(_connector(connector_name), profile_id, settings=settings, secrets=secrets)


def _connector(name: str) -> type[Connector]:
    cls = catalogue().get(name)
    if cls is None:
        fault = f"Connecteur inconnu : « {name} »."
        raise ConfigurationError(fault)
    return cls


class Profile:
    """One opened system: commands in, receipts out, every exchange in the caller's log."""

    def __init__(
        self,
        connector: type[Connector],
        profile_id: str,
        *,
        settings: Mapping[str, Any],
        secrets: Mapping[str, str],
    ) -> None:
        manifest = connector.manifest
        faults = manifest.check_settings({**settings, **secrets})
        if faults:
            raise ConfigurationError(*(f"{profile_id} : {fault}" for fault in faults))
        self.id = profile_id
        self.manifest = manifest
        self._operations = operations_of(connector)
        self._secrets = secrets
        complete = manifest.with_defaults(settings)
        self._connector = connector(complete, secrets)
        self._transport: Opened = open_transport(
            manifest, profile_id, settings=complete, secrets=tuple(secrets.values())
        )

    def call(
        self, operation: str, command: Command, log: list[Exchange]
    ) -> Receipt | ErasureReceipt:
        """Run one operation; its exchanges are in ``log`` even when it raises.

        Raises:
            PartnerError: what the system did, and what happens next.
            ConfigurationError: the connector has no such operation.
        """
        described = self._operations.get(operation)
        if described is None:
            fault = f"{self.id} : opération inconnue « {operation} »."
            raise ConfigurationError(fault)
        face = self._transport.face(operation, command.key, log)
        receipt: Receipt | ErasureReceipt = getattr(self._connector, described.method)(
            command, face
        )
        return receipt

    def probe(self, level: ProbeLevel) -> ProbeResult:
        """Prove the system usable up to a level; a failure is told in French, never raised."""
        log: list[Exchange] = []
        try:
            for step in LEVELS[: LEVELS.index(level) + 1]:
                self._connector.check(step, self._transport.face("check", None, log))
        except PartnerError as error:
            cause, remedy = sentences(error, log)
            return ProbeResult(
                level=level,
                is_up=False,
                probed_at=clock.utcnow(),
                cause=cause,
                remedy=remedy,
                recovery=error.recovery,
            )
        return ProbeResult(level=level, is_up=True, probed_at=clock.utcnow())

    def translate(self, inbound: Inbound) -> list[Message]:
        """Return the canonical messages of what the system posted in its own format.

        Raises:
            RequestError: not proven, too big or of another media type.
            MessageError: it cannot be understood.
        """
        rules = self.manifest.inbound
        if rules is None:
            raise UnknownMessageTypeError
        admit(inbound, rules, self._secrets)
        messages = self._connector.translate(inbound)
        if any(message.type not in self.manifest.emits for message in messages):
            raise InvalidMessageError(self.id, "translate", "a type the manifest does not declare")
        return messages

    def close(self) -> None:
        """Close what is kept open."""
        self._transport.close()
