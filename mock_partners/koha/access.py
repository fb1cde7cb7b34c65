"""Who may call: OAuth 2 client credentials, Basic where the library allows it, rights."""

import base64
import random
from collections.abc import Mapping
from datetime import timedelta
from hmac import compare_digest
from urllib.parse import parse_qs

from mock_partners.koha.routes import Call
from mock_partners.koha.state import State, error
from mock_partners.wire import Answer, json_answer

__all__ = ["TOKEN_LIFE", "Access"]

TOKEN_LIFE = timedelta(seconds=3600)
FAILED = "Authentication failure."
MISSING_RIGHT = "Authorization failure. Missing required permission(s)."


class Access:
    """Issues tokens and checks credentials."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._random = random.Random(state.settings.seed)  # noqa: S311  repeatable on purpose

    def token(self, call: Call) -> Answer:
        """``POST /oauth/token``."""
        form = parse_qs(call.request.body.decode("utf-8", "replace"))
        allowed = self._state.settings.preferences.RESTOAuth2ClientCredentials
        if not allowed or form.get("grant_type") != ["client_credentials"]:
            return error(400, "Unimplemented grant type")
        if not self._is_client(form):
            return self.bad_client()
        self._sweep()
        token = f"{self._random.getrandbits(256):064x}"
        self._state.tokens[token] = self._state.clock.now() + TOKEN_LIFE
        life = int(TOKEN_LIFE.total_seconds())
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": life}
        return json_answer(200, answer)

    def bad_client(self) -> Answer:
        """What an unknown or withdrawn API client is told."""
        return error(403, "unauthorized_client")

    def unauthenticated(self, text: str = FAILED) -> Answer:
        """The 401 of every other route."""
        return error(401, text)

    def refusal(self, call: Call, right: Mapping[str, str]) -> Answer | None:
        """Why the caller may not, or None when it may."""
        header = call.request.headers.get("authorization", "")
        scheme, _, credential = header.partition(" ")
        if scheme == "Bearer":
            is_known = self._is_live(credential)
        elif scheme == "Basic":
            if not self._state.settings.preferences.RESTBasicAuth:
                return self.unauthenticated("Basic authentication disabled")
            is_known = self._is_staff(credential)
        else:
            is_known = False
        if not is_known:
            return self.unauthenticated()
        if not self._has(right):
            return error(403, MISSING_RIGHT, required_permissions=dict(right))
        return None

    def _is_client(self, form: Mapping[str, list[str]]) -> bool:
        settings = self._state.settings
        secret = form.get("client_secret", [""])[0].encode()
        is_secret = compare_digest(secret, settings.client_secret.encode())
        return form.get("client_id") == [settings.client_id] and is_secret

    def _is_live(self, token: str) -> bool:
        ends_at = self._state.tokens.get(token)
        return ends_at is not None and self._state.clock.now() < ends_at

    def _is_staff(self, credential: str) -> bool:
        try:
            user, _, password = base64.b64decode(credential, validate=True).decode().partition(":")
        except ValueError:
            return False
        expected = self._state.settings.staff.get(user)
        return expected is not None and compare_digest(password.encode(), expected.encode())

    def _has(self, right: Mapping[str, str]) -> bool:
        granted = self._state.settings.permissions
        return "*" in granted or all(
            module in granted or f"{module}:{part}" in granted for module, part in right.items()
        )

    def _sweep(self) -> None:
        now = self._state.clock.now()
        for token in [token for token, ends_at in self._state.tokens.items() if ends_at <= now]:
            del self._state.tokens[token]
