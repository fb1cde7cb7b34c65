"""What a system posts in its own format: proven, bounded, then given to the connector to translate."""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.kit.manifest import InboundRules
from schemas.errors import (
    InvalidMessageError,
    PayloadTooLargeError,
    SignatureVerificationError,
    UnsupportedMediaTypeError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """One posted body, untouched; header names are in lower case."""

    profile: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def admit(inbound: Inbound, rules: InboundRules, secrets: Mapping[str, str]) -> None:
    """Refuse what is not proven by one of the two live secrets, is too big, or of another type.

    Raises:
        RequestError: why it was refused.
    """
    shown = inbound.headers.get(rules.header.lower(), "").encode()
    live = [secrets.get(name) for name in (rules.secret, f"{rules.secret}_previous")]
    # Every live secret is compared, whichever matches: the time tells nothing.
    matches = [hmac.compare_digest(shown, secret.encode()) for secret in live if secret]
    if not any(matches):
        raise SignatureVerificationError("secret")
    if len(inbound.body) > rules.max_bytes:
        raise PayloadTooLargeError
    media_type = inbound.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in rules.media_types:
        raise UnsupportedMediaTypeError
    if media_type.endswith("json") and _depth(inbound.body) > rules.max_depth:
        raise InvalidMessageError(inbound.profile, "translate", "nested too deep")


def json_event(inbound: Inbound) -> dict[str, Any]:
    """Return the body as a JSON object.

    Raises:
        InvalidMessageError: it is none.
    """
    try:
        value = json.loads(inbound.body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise InvalidMessageError(inbound.profile, "translate", "no JSON in UTF-8") from None
    if not isinstance(value, dict):
        raise InvalidMessageError(inbound.profile, "translate", "no JSON object")
    return value


def _depth(body: bytes) -> int:
    """Return how deep brackets nest, without parsing; brackets inside texts count too."""
    deepest = depth = 0
    for byte in body:
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest
