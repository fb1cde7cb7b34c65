"""Secrets out of the exchange log: by header, by the name of a member, and by value anywhere.

What a person said stays in the recorded bodies (they are stored encrypted and shown masked); what opens
a door never enters them.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote, quote_plus

HIDDEN: Final = "[secret]"
TEXT_CAP: Final = 64 * 1024
OPEN_HEADERS: Final = frozenset(
    {"accept", "accept-encoding", "content-type", "content-length", "date", "idempotency-key"}
    | {"location", "retry-after", "x-total-count", "user-agent", "server"}
)
_NAMES: Final = (
    "access_token|refresh_token|id_token|client_secret|password|password_2|secret|api_key|apikey"
    "|consumer_key|consumerkey|token|sessionid|session_id"
)
_MEMBER: Final = re.compile(
    rf'("(?:{_NAMES})"\s*:\s*)(?:"(?:[^"\\]|\\.)*"?|[\d.eE+-]+)', re.IGNORECASE
)
_PAIR: Final = re.compile(rf"((?:^|[&?\s])(?:{_NAMES})=)[^&\s]*", re.IGNORECASE)


class Redactor:
    """Knows the values that must not be recorded; tokens are learned on the way.

    A value is known in each form it travels in: as it is, in JSON, in a query or a form, in base64.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms: tuple[str, ...] = ()
        self._tokens: tuple[str, ...] = ()
        for secret in secrets:
            self._forms += _forms(secret)

    def learn(self, token: str) -> None:
        """Hide a token too; the last eight are kept."""
        self._tokens = (*self._tokens, *_forms(token))[-40:]

    def text(self, value: str) -> str:
        """Return the text without any secret, cut at 64 kB."""
        if _may_name_a_secret(value.lower()):
            value = _MEMBER.sub(rf'\1"{HIDDEN}"', value)
            value = _PAIR.sub(rf"\1{HIDDEN}", value)
        return self.values(value)[:TEXT_CAP]

    def values(self, value: str) -> str:
        """Return the text without any known secret, whatever it is called there."""
        for form in (*self._forms, *self._tokens):
            if form in value:
                value = value.replace(form, HIDDEN)
        return value

    def body(self, value: bytes | str | None) -> str | None:
        """Return a body as text, without any secret."""
        if not value:
            return None
        return self.text(value if isinstance(value, str) else value.decode("utf-8", "replace"))

    def headers(self, values: Mapping[str, str]) -> dict[str, str]:
        """Return the headers; only those on the open list keep their value."""
        shown = {
            name: value if name.lower() in OPEN_HEADERS else HIDDEN
            for name, value in values.items()
        }
        everything = "\n".join(shown.values())
        if self.values(everything) is everything:
            return shown
        return {name: self.values(value) for name, value in shown.items()}


def _may_name_a_secret(text: str) -> bool:
    """Tell whether one of the names can occur: each holds one of these words (no expression is as quick)."""
    return (
        "token" in text
        or "secret" in text
        or "password" in text
        or "key" in text
        or "session" in text
    )


def _forms(secret: str) -> tuple[str, ...]:
    """Return the spellings of a secret; one too short to be a secret would blot out whole bodies."""
    if len(secret) < 4:
        return ()
    spellings = (
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        base64.b64encode(secret.encode()).decode(),
        base64.urlsafe_b64encode(secret.encode()).decode(),
    )
    return tuple(dict.fromkeys(spellings))
