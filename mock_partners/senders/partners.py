"""A sender: who it is for the hub, with which keys it signs, what it may announce."""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mock_partners.senders import signing
from mock_partners.senders.signing import Key, SignedRequest

__all__ = ["AGENT", "Sender"]

AGENT = "parvis-mock-sender/1"
EVENT = "application/cloudevents+json; charset=utf-8"
BATCH = "application/cloudevents-batch+json; charset=utf-8"
KNOWN = frozenset(
    {"id", "source", "key_id", "scheme", "secret", "keys", "allowed_events", "communes"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """One partner that sends events."""

    id: str
    source: str
    keys: tuple[Key, ...]
    allowed_events: tuple[str, ...]
    communes: tuple[str, ...] = ()

    @classmethod
    def read(cls, document: Mapping[str, object]) -> "Sender":
        """Read a partner as the hub describes it: one key, or several in ``keys``.

        Raises:
            ValueError: an unknown member, a missing one, or a key of the wrong form.
        """
        strangers = sorted(set(document) - KNOWN)
        if strangers or "id" not in document:
            msg = f"a sender takes {sorted(KNOWN)}, id at least; unknown: {strangers}"
            raise ValueError(msg)
        name = str(document["id"])
        return cls(
            id=name,
            source=str(document.get("source", f"/partners/{name}")),
            keys=tuple(_key(name, each) for each in _keys(document)),
            allowed_events=tuple(_texts(document.get("allowed_events"))),
            communes=tuple(_texts(document.get("communes"))),
        )

    def event(
        self, event: Mapping[str, object], *, now: datetime, keys: Sequence[Key] | None = None
    ) -> SignedRequest:
        """One event, signed now; its own id is the delivery's."""
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        return self._post(
            "/v1/events", body, EVENT, message_id=str(event["id"]), now=now, keys=keys
        )

    def batch(
        self,
        events: Sequence[Mapping[str, object]],
        *,
        delivery_id: str,
        now: datetime,
        keys: Sequence[Key] | None = None,
    ) -> SignedRequest:
        """Several events in one request, compressed; the signature covers the bytes as sent."""
        text = json.dumps(events, ensure_ascii=False, separators=(",", ":")).encode()
        body = gzip.compress(text, mtime=0)
        request = self._post(
            "/v1/events:batch", body, BATCH, message_id=delivery_id, now=now, keys=keys
        )
        packed = {**request.headers, "Content-Encoding": "gzip"}
        return SignedRequest(method="POST", path=request.path, headers=packed, body=body)

    def get(self, path: str, *, delivery_id: str, now: datetime) -> SignedRequest:
        """A request without body, signed over its method and path."""
        headers = signing.headers(
            self.keys,
            message_id=delivery_id,
            timestamp=int(now.timestamp()),
            body=f"GET {path}".encode(),
        )
        return SignedRequest(method="GET", path=path, headers={**headers, "User-Agent": AGENT})

    def _post(
        self,
        path: str,
        body: bytes,
        media: str,
        *,
        message_id: str,
        now: datetime,
        keys: Sequence[Key] | None,
    ) -> SignedRequest:
        headers = signing.headers(
            keys or self.keys, message_id=message_id, timestamp=int(now.timestamp()), body=body
        )
        more = {"Content-Type": media, "User-Agent": AGENT}
        return SignedRequest(method="POST", path=path, headers={**headers, **more}, body=body)


def _keys(document: Mapping[str, object]) -> list[Mapping[str, object]]:
    keys = document.get("keys")
    if isinstance(keys, list) and keys:
        return keys
    return [{name: document.get(name) for name in ("key_id", "scheme", "secret")}]


def _key(sender: str, document: Mapping[str, object]) -> Key:
    name = str(document.get("key_id") or document.get("id") or "")
    if not name:
        msg = f"{sender}: a key needs key_id, scheme and secret"
        raise ValueError(msg)
    key_id = name if "/" in name else f"{sender}/{name}"
    scheme, secret = str(document.get("scheme", "v1")), str(document.get("secret", ""))
    return Key.read(key_id=key_id, scheme=scheme, secret=secret)


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
