"""What servers ask: tokens for a code, who it was, revocation. Refusals are OAuth's."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import timedelta
from hmac import compare_digest

from mock_partners.clock import MockClock
from mock_partners.franceconnect.grants import Grant, Grants
from mock_partners.franceconnect.people import subject
from mock_partners.franceconnect.settings import SCOPES, ProviderSettings
from mock_partners.franceconnect.signing import Signer, asserted
from mock_partners.wire import Answer, Request, json_answer

__all__ = ["BackChannel", "refused"]

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
NO_STORE = (("Cache-Control", "no-store"),)


def refused(error: str, description: str, *, status: int = 400) -> Answer:
    """An OAuth refusal."""
    document = {"error": error, "error_description": description}
    return json_answer(status, document, headers=NO_STORE)


class BackChannel:
    """The endpoints without a browser."""

    def __init__(
        self, settings: ProviderSettings, *, clock: MockClock, grants: Grants, signer: Signer
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._grants = grants
        self._signer = signer

    def token(self, form: Mapping[str, str], *, issuer: str) -> Answer:
        """A code, once and within its life, against an access token and an id_token."""
        client_id = self._caller(form, issuer=issuer)
        if client_id is None:
            return refused("invalid_client", "client authentication failed", status=401)
        if form.get("grant_type") != "authorization_code":
            return refused("unsupported_grant_type", "authorization_code only")
        grant = self._grants.codes.get(form.get("code", ""))
        if grant is None or grant.visit.client_id != client_id:
            return refused("invalid_grant", "grant request is invalid")
        if grant.is_used:
            self._grants.revoke(grant.token)
            return refused("invalid_grant", "grant request is invalid")
        life = timedelta(seconds=self._settings.code_seconds)
        if self._clock.now() >= grant.granted_at + life:
            return refused("invalid_grant", "grant request is invalid")
        if form.get("redirect_uri") != grant.visit.redirect_uri:
            return refused("invalid_grant", "grant request is invalid")
        return self._given(grant, issuer=issuer)

    def userinfo(self, request: Request, *, issuer: str) -> Answer:
        """What the scopes opened, as a signed token."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        grant = self._grants.tokens.get(token) if kind.lower() == "bearer" else None
        if grant is None or not self._is_alive(grant):
            challenge = (("WWW-Authenticate", 'Bearer error="invalid_token"'), *NO_STORE)
            document = {"error": "invalid_token", "error_description": "invalid token provided"}
            return json_answer(401, document, headers=challenge)
        known = grant.person.claims()
        opened = {name for scope in grant.visit.scopes for name in SCOPES[scope]}
        claims = {name: value for name, value in known.items() if name in opened}
        now = int(self._clock.now().timestamp())
        body = json_answer(
            200,
            {
                "sub": self._subject(grant),
                **claims,
                "iss": issuer,
                "aud": grant.visit.client_id,
                "iat": now,
                "exp": now + self._settings.token_seconds,
            },
        ).body
        return Answer(
            status=200,
            body=body,
            content_type="application/jwt",
            headers=NO_STORE,
            seal=self._signer.seal,
        )

    def revoke(self, form: Mapping[str, str], *, issuer: str) -> Answer:
        """Forget an access token of the caller; an unknown one is as good as forgotten."""
        client_id = self._caller(form, issuer=issuer)
        if client_id is None:
            return refused("invalid_client", "client authentication failed", status=401)
        grant = self._grants.tokens.get(form.get("token", ""))
        if grant is None or grant.visit.client_id != client_id:
            return Answer(status=200, content_type=None)
        self._grants.revoke(grant.token)
        return Answer(status=200, content_type=None, effect={"kind": "token.revoked"})

    def _given(self, grant: Grant, *, issuer: str) -> Answer:
        now = self._clock.now()
        token = self._grants.spend(grant, at=now)
        expires = int(now.timestamp()) + self._settings.token_seconds
        id_token: dict[str, object] = {
            "iss": issuer,
            "sub": self._subject(grant),
            "aud": grant.visit.client_id,
            "iat": int(now.timestamp()),
            "exp": expires,
            "auth_time": int(grant.signed_in_at.timestamp()),
            "nonce": grant.visit.nonce,
            "acr": grant.visit.level,
            "at_hash": _half_hash(token),
        }
        if "amr" in grant.visit.scopes:
            id_token["amr"] = ["fr"]
        document = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": self._settings.token_seconds,
            "scope": " ".join(grant.visit.scopes),
            "id_token": id_token,
        }
        plain = json_answer(200, document, headers=NO_STORE, effect={"kind": "tokens.issued"})
        return Answer(
            status=plain.status,
            body=plain.body,
            headers=plain.headers,
            effect=plain.effect,
            seal=self._signer.seal_member("id_token"),
        )

    def _subject(self, grant: Grant) -> str:
        secret = self._settings.subject_secret
        return subject(grant.person, client_id=grant.visit.client_id, secret=secret)

    def _is_alive(self, grant: Grant) -> bool:
        assert grant.token_at is not None  # noqa: S101  it has a token
        life = timedelta(seconds=self._settings.token_seconds)
        return self._clock.now() < grant.token_at + life

    def _caller(self, form: Mapping[str, str], *, issuer: str) -> str | None:
        """The client that proves itself by the one means it registered, or None."""
        if form.get("client_assertion_type") == ASSERTION:
            return self._asserting(form, issuer=issuer)
        client_id = form.get("client_id", "")
        client = self._settings.clients.get(client_id)
        if client is None or client.secret is None:
            return None
        given = form.get("client_secret", "").encode()
        return client_id if compare_digest(given, client.secret.encode()) else None

    def _asserting(self, form: Mapping[str, str], *, issuer: str) -> str | None:
        for client_id, client in self._settings.clients.items():
            if client.keys is None:
                continue
            claims = asserted(form.get("client_assertion", ""), client.keys)
            if claims is not None and self._is_valid(claims, client_id=client_id, issuer=issuer):
                return client_id
        return None

    def _is_valid(self, claims: Mapping[str, object], *, client_id: str, issuer: str) -> bool:
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        expires = claims.get("exp")
        return (
            claims.get("iss") == claims.get("sub") == client_id
            and bool({issuer, f"{issuer}/token"} & set(audiences))
            and isinstance(expires, int)
            and self._clock.now().timestamp() < expires
        )


def _half_hash(token: str) -> str:
    digest = hashlib.sha256(token.encode()).digest()
    return urlsafe_b64encode(digest[:16]).decode().rstrip("=")
