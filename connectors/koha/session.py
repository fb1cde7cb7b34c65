"""Koha's OAuth client credentials: one token per process, renewed early, one new login after a 401."""

import threading
from collections.abc import Collection
from typing import Any, Final

from connectors.kit import Answer, PartnerHttp
from schemas import clock
from schemas.errors import PartnerMisconfiguredError

BASE: Final = "/api/v1"
RENEW_AT: Final = 0.8  # of the life Koha announces


class Session:
    """Sends requests with a live token."""

    def __init__(self, client_id: str, client_secret: str) -> None:
        self._client = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
        }
        self._token: str | None = None
        self._renew_at = 0.0
        self._lock = threading.Lock()

    def request(
        self,
        http: PartnerHttp,
        method: str,
        path: str,
        *,
        accept: Collection[int] = (),
        **options: Any,
    ) -> Answer:
        """Send one request; a 401 is answered by one new login, a second 401 pauses the profile.

        A refused token means that nothing was done, so the request may be sent again.
        """
        token = self._live_token(http)
        answer = self._sent(http, method, path, token=token, accept=accept, **options)
        if answer.status == 401:
            token = self._another_token(http, token)
            answer = self._sent(http, method, path, token=token, accept=accept, **options)
        if answer.status == 401:
            raise http.failure(PartnerMisconfiguredError, "session_refused: HTTP 401 after a login")
        return answer

    def _sent(
        self,
        http: PartnerHttp,
        method: str,
        path: str,
        *,
        token: str,
        accept: Collection[int],
        **options: Any,
    ) -> Answer:
        bearer = {"Authorization": f"Bearer {token}"}
        return http.request(method, BASE + path, headers=bearer, accept={401, *accept}, **options)

    def log_in(self, http: PartnerHttp) -> str:
        """Ask for a new token.

        Raises:
            PartnerMisconfiguredError: the client is refused, or the grant is switched off.
        """
        answer = http.ask(f"{BASE}/oauth/token", form=self._client, accept={400, 401, 403})
        if answer.status != 200:
            raise http.failure(PartnerMisconfiguredError, f"client_refused: HTTP {answer.status}")
        fields = answer.fields()
        token, life = fields.text("access_token"), fields.integer("expires_in")
        http.conceal(token)
        self._token, self._renew_at = token, clock.monotonic() + RENEW_AT * life
        return token

    def _live_token(self, http: PartnerHttp) -> str:
        token = self._token
        if token is not None and clock.monotonic() < self._renew_at:
            return token
        return self._another_token(http, token)

    def _another_token(self, http: PartnerHttp, refused: str | None) -> str:
        """Log in, unless another call did while we waited for the lock."""
        with self._lock:
            token = self._token
            if token is not None and token != refused and clock.monotonic() < self._renew_at:
                return token
            return self.log_in(http)
