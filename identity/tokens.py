"""Bearer tokens of the citizens' realm, trusted only after every check, in a fixed order.

Pure: the keys, the names and the time are given. The checks before the library are there because it
keeps the last of two equal members and tolerates base64 that is not canonical; those after it,
because a signature says who wrote a token and not what the token is for.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, NoReturn

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from joserfc.jws import JWSRegistry

from identity.linking import FRANCECONNECT_LEVELS
from identity.names import EMAIL_VERIFIED, FC_ACR, IDP_ALIAS, is_franceconnect
from schemas.errors import TokenRefusedError
from schemas.logins import Level

LONGEST: Final = 8 * 1024
SLACK_SECONDS: Final = 60
LONGEST_LIFE_SECONDS: Final = 15 * 60
ALGORITHM: Final = "RS256"
_SCHEME: Final = "bearer"
_PART: Final = re.compile(r"[A-Za-z0-9_-]+")
_NAME: Final = re.compile(r"[\x21-\x7e]{1,255}")
_HEADER_TYPES: Final = frozenset({"JWT", "at+jwt"})
_FOREIGN_KEYS: Final = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64"})


class Reason(StrEnum):
    """Why a token is not trusted: for the log and for tests, never for the answer."""

    MISSING = "missing"
    FORM = "form"
    TOO_LONG = "too_long"
    BASE64 = "base64"
    JSON = "json"
    DUPLICATE_MEMBER = "duplicate_member"
    ALGORITHM = "algorithm"
    HEADER_TYPE = "header_type"
    KEY_ID = "key_id"
    FOREIGN_KEY = "foreign_key"
    UNKNOWN_KEY = "unknown_key"
    SIGNATURE = "signature"
    ISSUER = "issuer"
    AUDIENCE = "audience"
    NO_TIME = "no_time"
    EXPIRED = "expired"
    NOT_YET = "not_yet"
    LIFETIME = "lifetime"
    TOKEN_TYPE = "token_type"  # noqa: S105 - a reason, no secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a trusted token says; what it does not say, or says in another shape, is None.

    ``client_id`` is the application it was given to (``azp``), ``service_client`` the claim of a
    client that signed in by itself (empty when it is no text). ``acr`` and ``idp_alias`` are what the provider behind the realm said of that sign-in, when the
    realm puts it into tokens.
    """

    issuer: str
    subject: str | None = field(repr=False)
    client_id: str | None
    service_client: str | None
    roles: frozenset[str]
    authenticated_at: datetime | None
    idp_alias: str | None
    acr: str | None
    is_contact_proved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Whose tokens are read, and for whom they must have been made."""

    issuer: str
    client: str


@dataclass(frozen=True, slots=True)
class _Parts:
    token: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]


KeyOf = Callable[[str], RSAKey | None]


def read_bearer(
    authorization: str | None, *, audience: Audience, key_of: KeyOf, now: datetime
) -> Claims:
    """Return what the token of an ``Authorization`` header says.

    Raises:
        TokenRefusedError: with the reason of the first check that failed.
    """
    parts = _parts(_bearer(authorization))
    kid = _checked_header(parts.header)
    _check_signature(parts, key_of(kid))
    claims = parts.claims
    _check_ends(claims, audience)
    _check_times(claims, int(now.timestamp()))
    if claims.get("typ") != "Bearer":
        _refuse(Reason.TOKEN_TYPE)
    return _told(claims, audience)


def level_proved(claims: Claims) -> Level:
    """Return how sure of the person the sign-in behind a token makes us.

    FranceConnect's level is heard from FranceConnect's alias only, and one it does not name is none;
    without any word of a provider a token proves a contact at most, and none that the realm denies.
    """
    if is_franceconnect(claims.idp_alias):
        return FRANCECONNECT_LEVELS.get(claims.acr or "", Level.DECLARED)
    return Level.CONTACT_PROVED if claims.is_contact_proved else Level.DECLARED


# --- form ----------------------------------------------------------------------------------------


def _bearer(authorization: str | None) -> str:
    """Return the one token of the header; several headers arrive joined by commas."""
    if not authorization:
        _refuse(Reason.MISSING, error="invalid_request")
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != _SCHEME:
        _refuse(Reason.MISSING, error="invalid_request")
    if len(token) > LONGEST:
        _refuse(Reason.TOO_LONG, error="invalid_request")
    return token


def _parts(token: str) -> _Parts:
    texts = token.split(".")
    if len(texts) != 3 or not all(_PART.fullmatch(text) for text in texts):
        _refuse(Reason.FORM)
    header, claims, _ = (_decoded(text) for text in texts)
    return _Parts(token, _object(header), _object(claims))


def _decoded(text: str) -> bytes:
    """Return what canonical base64url without padding says; one value has one spelling."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        _refuse(Reason.BASE64)
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != text.encode():
        _refuse(Reason.BASE64)
    return raw


def _object(raw: bytes) -> Mapping[str, Any]:
    try:
        value = _STRICT.decode(raw.decode())
    except (ValueError, RecursionError):
        _refuse(Reason.JSON)
    if not isinstance(value, dict):
        _refuse(Reason.JSON)
    return value


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(members)
    if len(value) != len(members):
        _refuse(Reason.DUPLICATE_MEMBER)
    return value


def _no_constant(_literal: str) -> NoReturn:
    _refuse(Reason.JSON)


_STRICT: Final = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)


# --- header and signature ------------------------------------------------------------------------


def _checked_header(header: Mapping[str, Any]) -> str:
    """Return the key's name."""
    if header.get("alg") != ALGORITHM:
        _refuse(Reason.ALGORITHM)
    if "typ" in header and not _is_one_of(header["typ"], _HEADER_TYPES):
        _refuse(Reason.HEADER_TYPE)
    if not _FOREIGN_KEYS.isdisjoint(header):
        _refuse(Reason.FOREIGN_KEY)
    kid = header.get("kid")
    if not isinstance(kid, str) or not _NAME.fullmatch(kid):
        _refuse(Reason.KEY_ID)
    return kid


# members of the header that mean nothing to us are let be, as RFC 7515 section 4 asks; ``crit`` is not
_REGISTRY: Final = JWSRegistry(algorithms=[ALGORITHM], strict_check_header=False)


def _check_signature(parts: _Parts, key: RSAKey | None) -> None:
    if key is None:
        _refuse(Reason.UNKNOWN_KEY)
    try:
        jwt.decode(parts.token, key, algorithms=[ALGORITHM], registry=_REGISTRY)
    except (JoseError, ValueError) as error:
        raise TokenRefusedError(Reason.SIGNATURE) from error


# --- claims --------------------------------------------------------------------------------------


def _check_ends(claims: Mapping[str, Any], audience: Audience) -> None:
    """Check who made the token and whom it was made for."""
    if claims.get("iss") != audience.issuer:
        _refuse(Reason.ISSUER)
    named = claims.get("aud")
    if named != audience.client and not (isinstance(named, list) and audience.client in named):
        _refuse(Reason.AUDIENCE)


def _check_times(claims: Mapping[str, Any], now: int) -> None:
    expires, issued = _seconds(claims, "exp"), _seconds(claims, "iat")
    begins = _seconds(claims, "nbf") if "nbf" in claims else issued
    if expires <= now:
        _refuse(Reason.EXPIRED)
    if max(begins, issued) > now + SLACK_SECONDS:
        _refuse(Reason.NOT_YET)
    if expires - issued > LONGEST_LIFE_SECONDS:
        _refuse(Reason.LIFETIME)


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if type(value) is not int:
        _refuse(Reason.NO_TIME)
    return value


def _told(claims: Mapping[str, Any], audience: Audience) -> Claims:
    service_client = claims.get("client_id")
    return Claims(
        issuer=audience.issuer,
        subject=_name(claims.get("sub")),
        client_id=_name(claims.get("azp")),
        service_client=None if service_client is None else _name(service_client) or "",
        roles=_roles(claims, audience.client),
        authenticated_at=_moment(claims.get("auth_time")),
        idp_alias=_name(claims.get(IDP_ALIAS)),
        acr=_name(claims.get(FC_ACR)),
        is_contact_proved=claims.get(EMAIL_VERIFIED, True) in (True, "true"),
    )


def _roles(claims: Mapping[str, Any], client: str) -> frozenset[str]:
    """Return the roles at our client; anything of another shape grants nothing."""
    access = claims.get("resource_access")
    ours = access.get(client) if isinstance(access, dict) else None
    roles = ours.get("roles") if isinstance(ours, dict) else None
    listed = roles if isinstance(roles, list) else []
    return frozenset(role for role in listed if isinstance(role, str))


def _moment(value: object) -> datetime | None:
    is_moment = type(value) is int and 0 < value < 2**40
    return datetime.fromtimestamp(value, UTC) if is_moment else None  # type: ignore[arg-type]


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and _NAME.fullmatch(value) else None


def _is_one_of(value: object, known: frozenset[str]) -> bool:
    return isinstance(value, str) and value in known


def _refuse(reason: Reason, *, error: str = "invalid_token") -> NoReturn:
    raise TokenRefusedError(reason, error=error)


__all__ = ["ALGORITHM", "Audience", "Claims", "KeyOf", "Reason", "level_proved", "read_bearer"]
