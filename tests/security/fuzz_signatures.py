"""Throws hostile deliveries at the verifier; run as a program with a count and a seed.

Every case differs from a good delivery in its body, its id, its moment or its signatures, so that
none may be accepted and nothing but the declared error may leave.
"""

import base64
import random
import string
import sys
from collections import Counter
from datetime import UTC, datetime

from schemas.errors import SignatureVerificationError
from schemas.signatures import VerifyKey, parse_secret, sign, verify

SENT = 1795341600
NOW = datetime.fromtimestamp(SENT, UTC)
ID = "0197f2c4-7d1e-7c3a-9b40-2f6d1a5e8c10"
BODY = b'{"specversion":"1.0","id":"0197f2c4-7d1e-7c3a-9b40-2f6d1a5e8c10"}'
SHARED = VerifyKey(scheme="v1", material=bytes(range(32)))
PAIR = parse_secret("whsk_" + base64.b64encode(bytes(range(32))).decode())
GOOD = (sign(ID, SENT, BODY, SHARED), sign(ID, SENT, BODY, PAIR))
ALPHABET = string.ascii_letters + string.digits + "+/=, .-_\x00\n\té€😀\ud800\u0661"
REASONS = {"missing_header", "bad_format", "bad_encoding", "expired", "future", "no_match"}


def text(source, longest=120):
    return "".join(source.choices(ALPHABET, k=source.randint(0, longest)))


def bent(source, value):
    """Change a text somewhere: cut, double, swap, insert or replace."""
    place = source.randint(0, len(value))
    piece = text(source, 4)
    return source.choice(
        [
            value[:place],
            value + value,
            value[:place] + piece + value[place:],
            value[:place] + piece + value[place + 1 :],
            value.swapcase(),
            value.strip("="),
            text(source),
        ]
    )


def hostile(source):
    """Return (body, headers) of one delivery that nobody with our keys has signed."""
    body, webhook_id, timestamp = BODY, ID, str(SENT)
    signatures = source.choice([*GOOD, " ".join(GOOD)])
    match source.randrange(4):
        case 0:
            body = source.choice([b"", source.randbytes(60), BODY[:-1], BODY + b"\x00"])
        case 1:
            webhook_id = bent(source, ID)
        case 2:
            timestamp = source.choice(
                [str(SENT + source.randint(-400, 400)), bent(source, timestamp)]
            )
        case _:
            signatures = bent(source, source.choice(GOOD))
    headers = [
        ("webhook-id", webhook_id),
        ("Webhook-Timestamp", timestamp),
        ("WEBHOOK-SIGNATURE", signatures),
        *((text(source, 12), text(source, 20)) for _ in range(source.randrange(3))),
    ]
    if source.random() < 0.05:
        headers.append(source.choice(headers))
    if source.random() < 0.05:
        headers.pop(source.randrange(len(headers)))
    return body, headers


def is_good(body, headers):
    """Tell whether chance rebuilt the good delivery."""
    sent = [(name.lower(), value) for name, value in headers if name.lower().startswith("webhook-")]
    values = dict(sent)
    is_same = values.get("webhook-id") == ID and values.get("webhook-timestamp") == str(SENT)
    signatures = values.get("webhook-signature", "").split(" ")
    return body == BODY and is_same and any(good in signatures for good in GOOD)


def fuzz(count, seed):
    """Return how many of ``count`` deliveries were refused for each reason."""
    source = random.Random(seed)
    reasons = Counter()
    while reasons.total() < count:
        body, headers = hostile(source)
        if is_good(body, headers):
            continue
        try:
            verify(body, headers, (SHARED, PAIR), NOW)
        except SignatureVerificationError as error:
            reasons[error.reason] += 1
        else:
            raise AssertionError(body, headers)
    return reasons


if __name__ == "__main__":
    COUNT, SEED = (int(argument) for argument in [*sys.argv[1:], "200000", "1"][:2])
    for why, number in sorted(fuzz(COUNT, SEED).items()):
        sys.stdout.write(f"{number:>8} {why}\n")
