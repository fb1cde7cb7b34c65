"""The provider's key, and the assertion a client may sign in place of a secret."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

__all__ = ["Signer", "asserted"]

ALGORITHM = "RS256"
ASSERTED = ("RS256", "ES256")
BITS = 2048


@cache
def _key() -> RSAKey:
    parameters: Any = {"use": "sig", "alg": ALGORITHM}
    return RSAKey.generate_key(BITS, parameters, auto_kid=True)


class Signer:
    """One RSA key for all providers of a process: making one takes longer than a whole sign-in."""

    def __init__(self) -> None:
        self._key = _key()

    def published(self) -> dict[str, object]:
        """The JWK set, public part only."""
        return {"keys": [self._key.as_dict(private=False)]}

    def sign(self, claims: Mapping[str, Any]) -> str:
        """The claims as a signed token."""
        header = {"alg": ALGORITHM, "kid": self._key.kid}
        return jwt.encode(header, dict(claims), self._key, algorithms=[ALGORITHM])

    def seal(self, body: bytes) -> bytes:
        """A JSON document as a signed token."""
        return self.sign(json.loads(body)).encode()

    def seal_member(self, name: str) -> Callable[[bytes], bytes]:
        """Make one member of a JSON document a signed token."""

        def seal(body: bytes) -> bytes:
            document = json.loads(body)
            if isinstance(document.get(name), dict):
                document[name] = self.sign(document[name])
            return json.dumps(document).encode()

        return seal

    def own(self, token: str) -> Mapping[str, Any] | None:
        """The claims of a token of ours, expired or not; None for anything else."""
        try:
            return jwt.decode(token, self._key, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError):
            return None


def asserted(assertion: str, keys: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The claims of a client's assertion, or None when its signature is not by these keys."""
    try:
        known = KeySet.import_key_set({"keys": list(keys["keys"])})
        return jwt.decode(assertion, known, algorithms=list(ASSERTED)).claims
    except (JoseError, ValueError, KeyError):
        return None
