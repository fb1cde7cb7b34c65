"""Throws mutated tokens at the check; run as a program with a count and a seed.

Some are bent as text, some rebuilt with a wrong claim or header and signed by the right key, some
signed by nobody or by somebody else: none may be accepted, and nothing but our refusal may leave.
"""

import base64
import hashlib
import hmac
import json
import random
import string
import sys
from collections import Counter

from joserfc.jwk import RSAKey

from identity.tokens import read_bearer
from schemas.errors import TokenRefusedError
from tests.fakes.tokens import (
    AUDIENCE,
    LEFT_OUT,
    application_claims,
    as_json,
    base64url,
    claims,
    header,
    moment,
    private_key,
    public_jwk,
    signed,
)

NOW = moment(1_795_341_600)
MADE = int(NOW.timestamp()) - 10
KEYS = {name: RSAKey.import_key(public_jwk(name)) for name in ("k1", "k2")}
STRANGE = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        2**31,
        2**63,
        10**400,
        "",
        " ",
        "\x00",
        "\ufeff",
        "\U0001d7d9",
    ),
    *([], {}, [[]], {"a": {"b": [1, None]}}, "x" * 3000, "' OR 1=1 --", "../../etc/passwd", "none"),
    LEFT_OUT,
)
ALPHABET = string.ascii_letters + string.digits + "-_.=+/, \t\n\x00é€😀\u0661"
# what makes a token worthless when the right key signs it
SPOILT_CLAIMS = ("iss", "aud", "exp", "iat", "typ")
SPOILT_HEADER = ("alg", "typ", "kid")
FOREIGN = ("jwk", "jku", "x5u", "x5c", "crit", "b64")


GOOD = frozenset(signed(make(NOW)) for make in (claims, application_claims))


def good(source):
    """Return claims that would be accepted."""
    make = source.choice([claims, application_claims])
    return make(NOW)


def bent(source, value):
    """Change a text somewhere: cut, double, insert, replace, turn."""
    place = source.randrange(len(value) + 1)
    piece = "".join(source.choices(ALPHABET, k=source.randint(1, 4)))
    return source.choice(
        [
            value[:place],
            value[place:],
            value + value,
            value[:place] + piece + value[place:],
            value[:place] + piece + value[place + 1 :],
            value.swapcase(),
            value[::-1],
            "".join(source.choices(ALPHABET, k=source.randint(0, 300))),
        ]
    )


def bent_text(source):
    parts = signed(good(source)).split(".")
    which = source.randrange(4)
    if which == 3:
        return bent(source, ".".join(parts))
    parts[which] = bent(source, parts[which])
    return ".".join(parts)


def bent_bytes(source):
    """Flip bits of the decoded parts and encode them canonically, under the old signature."""
    parts = signed(good(source)).split(".")
    which = source.randrange(3)
    raw = bytearray(base64.urlsafe_b64decode(parts[which] + "=="))
    for _ in range(source.randint(1, 3)):
        raw[source.randrange(len(raw))] ^= 1 << source.randrange(8)
    parts[which] = base64url(bytes(raw))
    return ".".join(parts)


def spoilt_claim(source):
    """Sign with the right key what means nothing, or means somebody else."""
    name = source.choice(SPOILT_CLAIMS)
    values = {
        "iss": (AUDIENCE.issuer + "-staff", AUDIENCE.issuer + "/", [AUDIENCE.issuer]),
        "aud": ("account", ["account"], [[AUDIENCE.client]]),
        "exp": (MADE, MADE + 10, MADE + 901, str(MADE + 300), float(MADE + 300)),
        "iat": (MADE + 71, MADE - 601, str(MADE), float(MADE)),
        "typ": ("ID", "Refresh", "Offline", "bearer"),
    }[name]
    value = source.choice([*values, *(odd for odd in STRANGE if odd is not LEFT_OUT), LEFT_OUT])
    changed = {**good(source), name: value}
    return signed({key: kept for key, kept in changed.items() if kept is not LEFT_OUT})


def spoilt_header(source):
    if source.random() < 0.3:
        return signed(good(source), header(**{source.choice(FOREIGN): source.choice(STRANGE[:-1])}))
    name = source.choice(SPOILT_HEADER)
    odd = [value for value in STRANGE if not (name == "typ" and value is LEFT_OUT)]
    head = header(**{name: source.choice([*odd, "HS256", "RS512", "k9", "jwt"])})
    return signed(good(source), head)


def odd_json(source):
    """Sign what is no JSON object, or one that two readers understand differently."""
    body = as_json(good(source))
    odd = source.choice(
        [
            body[:-1],
            body + b"}",
            body[:-1] + b', "exp": 99999999999}',
            b'{"iss": "x", ' + body[1:],
            b"\xef\xbb\xbf" + body,
            body.replace(b"a", b"\xff", 1),
            b"[" + body + b"]",
            b'{"a":' + b"[" * 2500 + b"]" * 2500 + b"," + body[1:],
            body.replace(
                str(MADE + 300).encode(), source.choice([b"NaN", b"Infinity", b"9" * 4500])
            ),
            json.dumps(body.decode()).encode(),
        ]
    )
    return signed(odd) if source.random() < 0.7 else signed(good(source), odd)


def signed_by_another(source):
    key = source.choice([private_key("k2"), private_key("mallory")])
    return signed(good(source), header(kid="k1"), key=key)


def signed_by_nobody(source):
    alg = source.choice(["none", "None", "RS256", "HS256"])
    parts = f"{base64url(as_json(header(alg=alg)))}.{base64url(as_json(good(source)))}"
    secret = json.dumps(public_jwk()).encode()
    signature = source.choice(
        [b"", b"\x00" * 256, source.randbytes(256), hmac.new(secret, b"x", hashlib.sha256).digest()]
    )
    return f"{parts}.{base64url(signature)}"


KINDS = (
    *(bent_text, bent_bytes, spoilt_claim, spoilt_header, odd_json),
    *(signed_by_another, signed_by_nobody),
)


def headers(source):
    """Yield mutated values of the Authorization header for ever."""
    while True:
        token = source.choice(KINDS)(source)
        if token in GOOD:  # chance changed nothing
            continue
        yield source.choice(
            [*["Bearer {}"] * 12, "bearer {}", "Bearer  {}", "Basic {}", "{}"]
        ).format(token)


def fuzz(count, seed):
    """Return how many of ``count`` tokens were refused for each reason."""
    source, reasons = random.Random(seed), Counter()
    mutated = headers(source)
    while reasons.total() < count:
        value = next(mutated)
        try:
            read_bearer(value, audience=AUDIENCE, key_of=KEYS.get, now=NOW)
        except TokenRefusedError as error:
            reasons[error.reason] += 1
        else:
            raise AssertionError(value)
    return reasons


if __name__ == "__main__":
    COUNT, SEED = (int(argument) for argument in [*sys.argv[1:], "20000", "1"][:2])
    for why, number in sorted(fuzz(COUNT, SEED).items()):
        sys.stdout.write(f"{number:>8} {why}\n")
