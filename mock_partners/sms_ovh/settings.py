"""The settings of one SMS gateway: its keys, its accounts, what is unverified about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import cast

__all__ = ["GatewaySettings", "ServiceSettings", "UnverifiedSms"]

EVERYTHING = ("GET /*", "POST /*", "PUT /*", "DELETE /*")
SENDER_STATES = ("waitingValidation", "refused", "enable", "disable")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedSms:
    """Answers that were not confirmed against the gateway's documents."""

    signature_status: int = 400  # INVALID_SIGNATURE and QUERY_TIME_OUT, as users report them
    sender_status: int = 403
    no_credit_status: int = 403
    timestamp_tolerance_s: int = 60
    pending_s: float = 0  # how long an accepted message stays in /jobs before it is in /outgoing
    stop_text: str = "STOP 36111"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """One SMS account: its credits and its validated senders."""

    credits: int = 1000
    senders: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, document: Mapping[str, object]) -> "ServiceSettings":
        """Read one account; senders as names, or as ``{name: state}``."""
        senders = document.get("senders", {})
        if isinstance(senders, list):
            senders = dict.fromkeys(senders, "enable")
        _only_known(cls, document)
        if not isinstance(senders, Mapping) or set(senders.values()) - set(SENDER_STATES):
            msg = f"senders: each state is one of {SENDER_STATES}"
            raise ValueError(msg)
        return cls(credits=int(str(document.get("credits", 1000))), senders=senders)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """One gateway with its API client and its accounts."""

    application_key: str
    application_secret: str
    consumer_key: str
    services: Mapping[str, ServiceSettings]
    invalid_receivers: frozenset[str] = frozenset()
    rules: tuple[str, ...] = EVERYTHING
    first_id: int = 100_000_001
    unverified: UnverifiedSms = field(default_factory=UnverifiedSms)

    @classmethod
    def read(cls, document: Mapping[str, object]) -> "GatewaySettings":
        """Read the settings file.

        Raises:
            ValueError: an unknown key, or one that is missing.
        """
        _only_known(cls, document)
        values = dict(document)
        services = _object(document.get("services"), "services")
        values["services"] = {
            name: ServiceSettings.read(_object(each, name)) for name, each in services.items()
        }
        values["invalid_receivers"] = frozenset(
            cast("list[str]", document.get("invalid_receivers", []))
        )
        values["rules"] = tuple(cast("list[str]", document.get("rules", EVERYTHING)))
        unverified = _object(document.get("unverified", {}), "unverified")
        _only_known(UnverifiedSms, unverified)
        values["unverified"] = UnverifiedSms(**unverified)  # type: ignore[arg-type]
        try:
            return cls(**values)  # type: ignore[arg-type]
        except TypeError as error:
            msg = f"SMS gateway: {error}"
            raise ValueError(msg) from error


def _object(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        msg = f"{where}: an object is wanted"
        raise ValueError(msg)  # noqa: TRY004  one error kind for a settings file
    return value


def _only_known(kind: type, document: Mapping[str, object]) -> None:
    known = {each.name for each in fields(kind)}
    strangers = sorted(set(document) - known)
    if strangers:
        msg = f"SMS gateway: unknown {strangers}; known: {sorted(known)}"
        raise ValueError(msg)
