"""The settings of one provider: its clients, its limits, what is unverified about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

T = TypeVar("T")
__all__ = ["SCOPES", "ClientSettings", "ProviderSettings", "UnverifiedProvider"]

PIVOT = ("given_name", "family_name", "birthdate", "gender", "birthplace", "birthcountry")
NAMES = ("given_name", "given_name_array", "family_name", "preferred_username")
SCOPES: Mapping[str, tuple[str, ...]] = {
    "openid": (),
    "identite_pivot": (*PIVOT, "given_name_array"),
    "profile": (*NAMES, "birthdate", "gender"),
    "birth": ("birthplace", "birthcountry"),
    "given_name": ("given_name", "given_name_array"),
    **{name: (name,) for name in PIVOT[1:]},
    "preferred_username": ("preferred_username",),
    "email": ("email",),
    "idp_id": ("idp_id",),
    "idp_birthdate": ("idp_birthdate",),
    "amr": (),
}
"""Which claims a scope opens; ``amr`` opens a claim of the id_token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """One service that may ask people to sign in."""

    name: str
    redirect_uris: tuple[str, ...]
    secret: str | None = field(default=None, repr=False)
    keys: Mapping[str, Any] | None = None
    post_logout_redirect_uris: tuple[str, ...] = ()
    scopes: tuple[str, ...] = tuple(SCOPES)

    @classmethod
    def read(cls, document: object) -> "ClientSettings":
        """Read one client: a ``secret``, or a JWK set ``keys`` for signed assertions."""
        values = _known(cls, document)
        for name in ("redirect_uris", "post_logout_redirect_uris", "scopes"):
            if name in values:
                values[name] = tuple(values[name])
        client = _made(cls, values)
        if (client.secret is None) == (client.keys is None):
            msg = "a client has a secret or keys, not both"
            raise ValueError(msg)
        if set(client.scopes) - set(SCOPES):
            msg = f"scopes: known are {sorted(SCOPES)}"
            raise ValueError(msg)
        return client


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedProvider:
    """What the code and the documents of the real one disagree about, or do not say."""

    nonce_at_least: int = 22  # 32 in the documents
    state_at_least: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """One platform: which levels it knows, who may call it, how long things live."""

    clients: Mapping[str, ClientSettings]
    issuer: str | None = None  # None: from the Host of each request
    levels: tuple[str, ...] = ("eidas1",)
    subject_secret: str = field(default="an-invented-secret", repr=False)
    code_seconds: int = 30
    token_seconds: int = 60
    session_minutes: int = 30
    unverified: UnverifiedProvider = field(default_factory=UnverifiedProvider)

    @classmethod
    def read(cls, document: Mapping[str, object]) -> "ProviderSettings":
        """Read the settings file.

        Raises:
            ValueError: an unknown key, or one that is missing.
        """
        values = _known(cls, document)
        clients = values.get("clients")
        if not isinstance(clients, Mapping) or not clients:
            msg = "clients: an object by client_id is wanted"
            raise ValueError(msg)
        values["clients"] = {name: ClientSettings.read(each) for name, each in clients.items()}
        unverified = _known(UnverifiedProvider, values.get("unverified", {}))
        values["unverified"] = _made(UnverifiedProvider, unverified)
        values["levels"] = tuple(values.get("levels", ("eidas1",)))
        return _made(cls, values)


def _known(cls: type, document: object) -> dict[str, Any]:
    if not isinstance(document, Mapping):
        msg = f"{cls.__name__}: an object is wanted"
        raise ValueError(msg)  # noqa: TRY004  one error kind for a settings file
    known = {each.name for each in fields(cls)}
    strangers = sorted(set(document) - known)
    if strangers:
        msg = f"{cls.__name__}: unknown {strangers}; known: {sorted(known)}"
        raise ValueError(msg)
    return dict(document)


def _made(cls: type[T], values: Mapping[str, Any]) -> T:
    try:
        return cls(**values)
    except TypeError as error:
        msg = f"{cls.__name__}: {error}"
        raise ValueError(msg) from error
