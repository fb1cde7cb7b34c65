"""Opening a profile's transport from its settings: HTTP, SMTP or a folder."""

import ssl
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from connectors.kit.adapter import LeanAdapter, Timeouts
from connectors.kit.addresses import Address
from connectors.kit.folder import FolderFace, FolderProfile
from connectors.kit.http import Call, HttpProfile, PartnerHttp
from connectors.kit.manifest import Manifest, Transport
from connectors.kit.redaction import Redactor
from connectors.kit.settings import seconds
from connectors.kit.smtp import SmtpFace, SmtpProfile
from schemas import clock
from schemas.errors import ConfigurationError
from schemas.receipts import Exchange


class Opened(Protocol):
    """An open transport: gives each call its face, and is closed at the end."""

    def face(self, operation: str, key: str | None, log: list[Exchange]) -> Any:
        """Return what one operation talks through."""
        ...

    def close(self) -> None:
        """Close what is kept open."""
        ...


def open_transport(
    manifest: Manifest, profile: str, *, settings: Mapping[str, Any], secrets: tuple[str, ...]
) -> Opened:
    """Return the transport a manifest asks for, set up by a profile's settings."""
    redactor = Redactor(secrets)
    match manifest.transport:
        case Transport.HTTP:
            return _OpenHttp(manifest, profile, settings=settings, redactor=redactor)
        case Transport.SMTP:
            return _OpenSmtp(profile, settings=settings, redactor=redactor)
        case Transport.FOLDER:
            return _OpenFolder(profile, settings)


class _OpenHttp:
    def __init__(
        self, manifest: Manifest, profile: str, *, settings: Mapping[str, Any], redactor: Redactor
    ) -> None:
        base_url = str(settings["base_url"]).rstrip("/")
        parts = urlsplit(base_url)
        is_tls = parts.scheme == "https"
        port = parts.port or (443 if is_tls else 80)
        self._adapter = LeanAdapter(
            _address(str(parts.hostname), port, settings),
            tls=tls_context(settings) if is_tls else None,
            timeouts=_timeouts(settings),
        )
        self._shared = HttpProfile(
            profile=profile,
            base_url=self._adapter.origin + parts.path,
            adapter=self._adapter,
            redactor=redactor,
            errors_by_status=manifest.errors_by_status,
        )

    def face(self, operation: str, key: str | None, log: list[Exchange]) -> PartnerHttp:
        return PartnerHttp(self._shared, _call(operation, key, log))

    def close(self) -> None:
        self._adapter.close()


class _OpenSmtp:
    def __init__(self, profile: str, *, settings: Mapping[str, Any], redactor: Redactor) -> None:
        security = str(settings["security"])
        self._shared = SmtpProfile(
            profile=profile,
            address=_address(str(settings["host"]), int(settings["port"]), settings),
            security=security,
            tls=None if security == "none" else tls_context(settings),
            timeouts=_timeouts(settings),
            redactor=redactor,
        )

    def face(self, operation: str, key: str | None, log: list[Exchange]) -> SmtpFace:
        return SmtpFace(self._shared, _call(operation, key, log))

    def close(self) -> None:
        """Nothing is kept: each message has its own session."""


class _OpenFolder:
    def __init__(self, profile: str, settings: Mapping[str, Any]) -> None:
        self._shared = FolderProfile(profile=profile, directory=str(settings["directory"]))

    def face(self, operation: str, key: str | None, log: list[Exchange]) -> FolderFace:
        return FolderFace(self._shared, _call(operation, key, log))

    def close(self) -> None:
        """Nothing is kept open."""


def tls_context(settings: Mapping[str, Any]) -> ssl.SSLContext:
    """Return a context that checks certificates, with the profile's own authority if it has one.

    Raises:
        ConfigurationError: the authority's file cannot be read.
    """
    path = settings.get("ca_file")
    try:
        context = ssl.create_default_context(cafile=path or None)
    except (OSError, ssl.SSLError) as error:
        fault = "« Autorité de certification propre » (ca_file) : fichier illisible."
        raise ConfigurationError(fault) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _address(host: str, port: int, settings: Mapping[str, Any]) -> Address:
    return Address(host, port, allow_private=bool(settings.get("allow_private")))


def _timeouts(settings: Mapping[str, Any]) -> Timeouts:
    return Timeouts(
        connect=seconds(str(settings["connect_timeout"])),
        read=seconds(str(settings["read_timeout"])),
    )


def _call(operation: str, key: str | None, log: list[Exchange]) -> Call:
    return Call(operation=operation, key=key, asked_at=clock.utcnow(), log=log)
