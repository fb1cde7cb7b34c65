"""A realm's tokens: applications by their secret, citizens by a code with PKCE, keys as a set with noise."""

import base64
import hashlib
import json
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from hmac import compare_digest
from typing import Any, Final
from urllib.parse import unquote_plus

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from mock_partners.keycloak.keys import KeyPair, KeyRing
from mock_partners.wire import Answer, json_answer

__all__ = ["Application", "Code", "Tokens"]

HUB: Final = "parvis-hub"
_LIFE: Final = timedelta(minutes=5)
_CODE_LIFE: Final = timedelta(minutes=1)
_NO_STORE: Final = (("Cache-Control", "no-store"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A caller with tokens: its own by a ``secret``, a citizen's by ``redirect_uris``."""

    secret: str | None = field(default=None, repr=False)
    roles: Sequence[str] = ()
    redirect_uris: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What a code stands for."""

    client_id: str
    redirect_uri: str
    challenge: str
    subject: str
    session: str
    notes: Mapping[str, str]
    at: datetime


@cache
def _noise() -> tuple[dict[str, Any], ...]:
    """Keys that are in a real set and sign none of these tokens."""
    encryption: Any = {"use": "enc", "alg": "RSA-OAEP"}
    elliptic: Any = {"use": "sig", "alg": "ES256"}
    return (
        dict(RSAKey.generate_key(2048, encryption, auto_kid=True).as_dict(private=False)),
        dict(ECKey.generate_key("P-256", elliptic, auto_kid=True).as_dict(private=False)),
    )


@dataclass(slots=True)
class Tokens:
    """The token endpoint of a realm."""

    applications: Mapping[str, Application]
    ring: KeyRing
    codes: dict[str, Code] = field(default_factory=dict)

    def published(self) -> dict[str, object]:
        """The JWK set, public parts only."""
        signing = [dict(_key(pair).as_dict(private=False)) for pair in self.ring.pairs]
        return {"keys": [*_noise(), *signing]}

    def new_code(self, code: Code) -> str:
        """Keep what a code stands for."""
        text = secrets.token_urlsafe(32)
        self.codes[text] = code
        return text

    def answer(
        self, form: Mapping[str, str], basic: str | None, *, issuer: str, now: datetime
    ) -> Answer:
        """A token, or the refusal of the protocol."""
        client_id, secret = _credentials(form, basic)
        client = self.applications.get(client_id)
        if client is None or (client.secret is not None and not _same(client.secret, secret)):
            return _refused(
                "unauthorized_client", "Invalid client or Invalid client credentials", 401
            )
        grant = form.get("grant_type")
        if grant == "client_credentials" and client.secret is not None:
            return self._applications(client_id, client, issuer=issuer, now=now)
        if grant == "authorization_code":
            return self._citizens(client_id, form, issuer=issuer, now=now)
        return _refused("unsupported_grant_type", "Unsupported grant_type", 400)

    def roles_of(self, authorization: str, *, now: datetime) -> Sequence[str] | None:
        """The roles of the application that a token was given to; None when it is no good token."""
        keys = KeySet([_key(pair) for pair in self.ring.pairs])
        try:
            claims = jwt.decode(authorization.removeprefix("Bearer "), keys).claims
        except (JoseError, ValueError):
            return None
        client = self.applications.get(str(claims.get("azp")))
        is_its_own = "client_id" in claims and int(claims.get("exp", 0)) > now.timestamp()
        return client.roles if client is not None and is_its_own else None

    def _applications(
        self, name: str, client: Application, *, issuer: str, now: datetime
    ) -> Answer:
        subject = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{issuer}/service-account-{name}"))
        claims = {
            **_common(name, subject, issuer=issuer, now=now),
            "client_id": name,
            "preferred_username": f"service-account-{name}",
            "resource_access": {HUB: {"roles": list(client.roles)}},
        }
        return self._given({"access_token": claims})

    def _citizens(
        self, name: str, form: Mapping[str, str], *, issuer: str, now: datetime
    ) -> Answer:
        code = self.codes.pop(form.get("code", ""), None)
        if (
            code is None
            or now > code.at + _CODE_LIFE
            or (code.client_id, code.redirect_uri) != (name, form.get("redirect_uri"))
            or not _same(code.challenge, _challenge(form.get("code_verifier", "")))
        ):
            return _refused("invalid_grant", "Code not valid", 400)
        common = _common(name, code.subject, issuer=issuer, now=now)
        common |= {"sid": code.session, "auth_time": int(code.at.timestamp())}
        identity = {**common, "typ": "ID", "aud": name, "jti": str(uuid.uuid4())}
        return self._given({"access_token": {**common, **code.notes}, "id_token": identity})

    def _given(self, tokens: Mapping[str, Mapping[str, object]]) -> Answer:
        document: dict[str, object] = {
            **tokens,
            "expires_in": int(_LIFE.total_seconds()),
            "token_type": "Bearer",
            "scope": "parvis-hub-api",
        }
        body = json.dumps(document).encode()
        effect = {"kind": "token.issued"}
        return Answer(status=200, body=body, headers=_NO_STORE, effect=effect, seal=self._seal)

    def _seal(self, body: bytes) -> bytes:
        """Sign what is a token; an altered claim is signed as it was altered."""
        document = json.loads(body)
        pair = self.ring.active
        header = {"alg": "RS256", "typ": "JWT", "kid": pair.kid}
        for name in ("access_token", "id_token"):
            if isinstance(document.get(name), dict):
                document[name] = jwt.encode(header, document[name], _key(pair))
        return json.dumps(document).encode()


def _common(client: str, subject: str, *, issuer: str, now: datetime) -> dict[str, object]:
    issued = int(now.timestamp())
    return {
        "iss": issuer,
        "sub": subject,
        "aud": HUB,
        "azp": client,
        "typ": "Bearer",
        "iat": issued,
        "exp": issued + int(_LIFE.total_seconds()),
        "jti": str(uuid.uuid4()),
        "scope": "parvis-hub-api",
    }


def _key(pair: KeyPair) -> RSAKey:
    parameters: Any = {"kid": pair.kid, "use": "sig", "alg": "RS256"}
    return RSAKey.import_key(pair.pem, parameters)


def _credentials(form: Mapping[str, str], basic: str | None) -> tuple[str, str]:
    scheme, _, text = (basic or "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        name, _, secret = base64.b64decode(text, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return unquote_plus(name), unquote_plus(secret)


def _challenge(proof: str) -> str:
    digest = hashlib.sha256(proof.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _same(one: str, other: str) -> bool:
    return compare_digest(one.encode(), other.encode())


def _refused(error: str, text: str, status: int) -> Answer:
    document = {"error": error, "error_description": text}
    return json_answer(status, document, headers=_NO_STORE)
