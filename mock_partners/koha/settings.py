"""The settings of one Koha: its libraries, its API client, its preferences, what is unverified about it.

Preferences bear Koha's own names; the facts nobody could check against Koha's documents are under
``unverified`` so that a test can turn them either way.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

__all__ = ["KohaSettings", "Preferences", "Unverified"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """Koha's system preferences that change an answer, with Koha's defaults where it has one."""

    RESTOAuth2ClientCredentials: bool = True
    RESTBasicAuth: bool = False
    RESTdefaultPageSize: int = 20
    PatronDuplicateMatchingAddFields: str = "surname|firstname|dateofbirth"
    FailedLoginAttempts: int = 5
    minPasswordLength: int = 8  # noqa: N815  Koha's own name
    autoMemberNum: bool = False  # noqa: N815  Koha's own name
    maxreserves: int = 50
    renewalsallowed: int = 2
    AllowHoldPolicyOverride: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unverified:
    """Answers that were not confirmed against Koha's documents."""

    schema_refusal: str = "errors"  # or "error": the shape of a schema refusal
    no_changes: int = 200  # or 204, as old versions answer an update that changes nothing
    booking_clash_status: int = 409  # or 400
    booking_statuses: tuple[str, ...] = ("new", "cancelled", "completed")


@dataclass(frozen=True, slots=True, kw_only=True)
class KohaSettings:
    """One Koha installation."""

    client_id: str
    client_secret: str
    libraries: Mapping[str, str]
    categories: tuple[str, ...]
    version: tuple[int, int] = (24, 11)
    permissions: frozenset[str] = frozenset({"*"})
    staff: Mapping[str, str] = field(default_factory=dict)
    preferences: Preferences = field(default_factory=Preferences)
    unverified: Unverified = field(default_factory=Unverified)
    attribute_types: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)
    patrons: tuple[Mapping[str, object], ...] = ()
    biblios: tuple[Mapping[str, object], ...] = ()
    checkouts: tuple[Mapping[str, object], ...] = ()
    clubs: tuple[Mapping[str, object], ...] = ()
    article_requests: tuple[Mapping[str, object], ...] = ()
    plugin_routes: tuple[str, ...] = ()
    reference_fields: tuple[str, ...] = ("statistics_1", "opac_notes")
    seed: int = 1
    first_patron_id: int = 1

    @classmethod
    def read(cls, document: Mapping[str, object]) -> "KohaSettings":
        """Read the settings file.

        Raises:
            ValueError: an unknown key, or one that is missing.
        """
        _only_known(cls, document, "koha")
        values = {key: _frozen(value) for key, value in document.items()}
        for key, kind in (("preferences", Preferences), ("unverified", Unverified)):
            if key in document:
                values[key] = _nested(kind, document[key], key)
        values["libraries"] = _named(document.get("libraries", ()))
        values["permissions"] = frozenset(_texts(document.get("permissions", ["*"])))
        if "version" in document:
            values["version"] = _version(str(document["version"]))
        try:
            return cls(**values)  # type: ignore[arg-type]
        except TypeError as error:
            msg = f"koha: {error}"
            raise ValueError(msg) from error


def _nested(kind: type, value: object, where: str) -> object:
    if not isinstance(value, Mapping):
        msg = f"{where}: an object is wanted"
        raise ValueError(msg)  # noqa: TRY004  one error kind for a settings file
    _only_known(kind, value, where)
    return kind(**{key: _frozen(member) for key, member in value.items()})


def _only_known(kind: type, document: Mapping[str, object], where: str) -> None:
    known = {each.name for each in fields(kind)}
    strangers = sorted(set(document) - known)
    if strangers:
        msg = f"{where}: unknown {strangers}; known: {sorted(known)}"
        raise ValueError(msg)


def _frozen(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else [str(value)]


def _named(value: object) -> dict[str, str]:
    """Libraries as ``{"ALC": "L'Alcazar"}`` or just ``["ALC"]``."""
    if isinstance(value, Mapping):
        return {str(key): str(name) for key, name in value.items()}
    return {code: code for code in _texts(value)}


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor.partition(".")[0] or 0)
