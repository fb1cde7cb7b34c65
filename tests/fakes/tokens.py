"""A realm of the test's own: keys, and tokens that are good until one thing about them is changed."""

import base64
import functools
import json
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from identity.tokens import Audience
from schemas import clock

ISSUER = "https://idp.example.org/realms/parvis"
HUB = "parvis-hub"
AUDIENCE = Audience(issuer=ISSUER, client=HUB)
SUBJECT = "5d0f2f0e-8a7c-4a56-9c1f-2a6a4f3b9c10"


class _LeftOut:
    def __repr__(self):
        return "left out"


LEFT_OUT = _LeftOut()


def private_key(name="k1", *, bits=2048):
    """The key of a name, the same for the whole run."""
    return _made(name, bits)


@functools.cache
def _made(name, bits):
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def base64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def public_jwk(name="k1", **changes):
    numbers = private_key(name).public_key().public_numbers()
    values = {
        "kid": name,
        "kty": "RSA",
        "alg": "RS256",
        "use": "sig",
        "n": base64url(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8)),
        "e": base64url(numbers.e.to_bytes(3)),
    }
    return without(values | changes)


def without(values):
    return {name: value for name, value in values.items() if value is not LEFT_OUT}


def claims(now=None, **changes):
    """The claims of a citizen's token made ten seconds ago."""
    made = int((now or clock.utcnow()).timestamp()) - 10
    values = {
        "iss": ISSUER,
        "aud": HUB,
        "sub": SUBJECT,
        "typ": "Bearer",
        "azp": "portal-login",
        "exp": made + 300,
        "iat": made,
        "auth_time": made,
        "jti": "1",
    }
    return without(values | changes)


def application_claims(now=None, *, roles=("catalogue:read",), **changes):
    """The claims of an application's own token."""
    values = {
        "sub": "service-account",
        "azp": "portal",
        "client_id": "portal",
        "auth_time": LEFT_OUT,
        "resource_access": {HUB: {"roles": list(roles)}},
    }
    return claims(now, **(values | changes))


def header(**changes):
    return without({"alg": "RS256", "typ": "JWT", "kid": "k1"} | changes)


def as_json(value):
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def signed(token_claims, token_header=None, *, key=None):
    """Sign what is given, whatever it is: objects, or bytes as they stand."""
    head = as_json(header() if token_header is None else token_header)
    parts = f"{base64url(head)}.{base64url(as_json(token_claims))}"
    signature = (key or private_key()).sign(parts.encode(), padding.PKCS1v15(), SHA256())
    return f"{parts}.{base64url(signature)}"


def moment(seconds):
    return datetime.fromtimestamp(seconds, UTC)
