"""One bearer token checked by every rule of the API, beside the library's bare decode of the same token.

Usage: ``python -m benchmarks.token_check [--checks 20000] [--rounds 5]``. RSA 2048, SHA-256, a token
as a realm makes them. The two take turns, round by round, in one process. Wall clock per check; goal:
p50 of the whole check at most 0.15 ms.
"""

import argparse
import base64
import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt

from benchmarks.lab.figures import keep, percentile, ratios, table
from identity.jwks import RealmKeys
from identity.names import HUB_CLIENT
from identity.tokens import ALGORITHM, Audience, read_bearer
from schemas import clock

AUDIENCE: Final = Audience(issuer="https://idp.example.org/realms/parvis", client=HUB_CLIENT)
KEY_ID: Final = "vYq0bP9mB4fP7s3yqv8b0q2f3mJwE1kq2v8rD5nXo0A"
CHECKS, ROUNDS = 20_000, 5
WHOLE, BARE = "every rule of the API", "bare decode of the library"


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--checks", type=int, default=CHECKS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    token = _token(private)
    keys = RealmKeys(lambda: _key_set(private), spawn=lambda job: job())
    checks = {WHOLE: partial(_whole, token, keys), BARE: partial(_bare, token, keys)}
    taken = _in_turns(checks, options.checks // options.rounds, options.rounds)
    rows = [_row(name, rounds) for name, rounds in taken.items()]
    print(table(rows))
    whole, bare = (_medians(taken[name]) for name in (WHOLE, BARE))
    ratio = ratios(whole, bare)
    print(f"whole check to bare decode: {ratio['median']} (rounds {ratio['spread']})")
    figures = {"p50_ms": rows[0]["p50_ms"], "p95_ms": rows[0]["p95_ms"], "ratio": ratio["median"]}
    is_try = options.checks < CHECKS
    keep("token-check", {"figures": figures, "rows": rows, "ratio": ratio, "is_try": is_try})
    return 0


def _whole(token: str, keys: RealmKeys) -> None:
    read_bearer(f"Bearer {token}", audience=AUDIENCE, key_of=keys.key, now=clock.utcnow())


def _bare(token: str, keys: RealmKeys) -> None:
    key = keys.key(KEY_ID)
    if key is not None:
        jwt.decode(token, key, algorithms=[ALGORITHM])


def _in_turns(
    checks: Mapping[str, Callable[[], None]], count: int, rounds: int
) -> dict[str, list[list[float]]]:
    """Return the milliseconds of every check, by name and round; a first round only warms up."""
    taken: dict[str, list[list[float]]] = {name: [] for name in checks}
    for turn in range(rounds + 1):
        for name, check in checks.items():
            timed = [_timed(check) for _ in range(count)]
            if turn:
                taken[name].append(timed)
    return taken


def _timed(check: Callable[[], None]) -> float:
    began = time.perf_counter()
    check()
    return (time.perf_counter() - began) * 1000


def _row(name: str, rounds: Sequence[Sequence[float]]) -> dict[str, Any]:
    every = [one for timed in rounds for one in timed]
    return {
        "check": name,
        "count": len(every),
        "p50_ms": round(percentile(every, 0.5), 4),
        "p95_ms": round(percentile(every, 0.95), 4),
    }


def _medians(rounds: Sequence[Sequence[float]]) -> list[float]:
    return [percentile(timed, 0.5) for timed in rounds]


def _token(private: rsa.RSAPrivateKey) -> str:
    """Return a citizen's token of the size a realm gives it, good for ten minutes."""
    now = int(clock.utcnow().timestamp())
    claims = {
        "exp": now + 600,
        "iat": now,
        "auth_time": now - 60,
        "jti": "0b0c2b1e-6a58-4e0c-8a43",
        "iss": AUDIENCE.issuer,
        "aud": [HUB_CLIENT, "account"],
        "typ": "Bearer",
        "sub": "5d0f2f0e-8a7c-4a56-9c1f-2a6a4f3b9c10",
        "azp": "portal-login",
        "acr": "1",
        "sid": "6d1a6d5c-5f0e-4d58-a6b4",
        "scope": "openid profile",
        "allowed-origins": ["x"],
        "resource_access": {HUB_CLIENT: {"roles": ["catalogue:read"]}, "account": {"roles": ["x"]}},
    }
    header = {"alg": ALGORITHM, "typ": "JWT", "kid": KEY_ID}
    parts = f"{_base64url(_json(header))}.{_base64url(_json(claims))}"
    signature = private.sign(parts.encode(), padding.PKCS1v15(), SHA256())
    return f"{parts}.{_base64url(signature)}"


def _key_set(private: rsa.RSAPrivateKey) -> bytes:
    numbers = private.public_key().public_numbers()
    key = {
        "kid": KEY_ID,
        "kty": "RSA",
        "alg": ALGORITHM,
        "use": "sig",
        "n": _base64url(numbers.n.to_bytes(256)),
        "e": _base64url(numbers.e.to_bytes(3)),
    }
    return _json({"keys": [key]})


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


if __name__ == "__main__":
    raise SystemExit(main())
