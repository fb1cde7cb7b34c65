"""Verify an export of the journal against a checkpoint kept elsewhere, with nothing of Parvis installed.

One file, standard library only: its own canonical JSON (RFC 8785, for the values a journal holds) and its
own verification of Ed25519 signatures (RFC 8032, public data only, no secret ever passes here).

    python parvis_verify.py export.jsonl checkpoint.json [key id]

It exits with 0 when every entry holds, 1 when something was changed, 2 when a file cannot be read. Give
the key id that the city made known: otherwise the checkpoint's own key is believed.
"""

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

START = "0" * 64
MEMBERS = ("seq", "at", "type", "actor_ref", "subject_ref", "case_ref", "leaf")
SIGNED = ("origin", "size", "head", "at", "key_id")

# --- Ed25519 ---------------------------------------------------------------------------------------
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]
ZERO: Point = (0, 1, 1, 0)


def added(a: Point, b: Point) -> Point:
    """Return the sum of two points."""
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g = 2 * a[3] * b[3] * D % P
    h = 2 * a[2] * b[2] % P
    i, j, k, m = f - e, h - g, h + g, f + e
    return i * j % P, k * m % P, j * k % P, i * m % P


def times(number: int, point: Point) -> Point:
    """Return a point added to itself so many times."""
    found = ZERO
    while number:
        if number & 1:
            found = added(found, point)
        point, number = added(point, point), number >> 1
    return found


def same(a: Point, b: Point) -> bool:
    """Tell whether two points are one."""
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def point_of(text: bytes) -> Point | None:
    """Return the point that 32 bytes stand for, or None."""
    if len(text) != 32:
        return None
    number = int.from_bytes(text, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE_Y = 4 * pow(5, -1, P) % P
BASE = point_of(BASE_Y.to_bytes(32, "little"))


def is_signature(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Verify one signature as RFC 8032, 5.1.7."""
    key = point_of(public_key)
    if key is None or BASE is None or len(signature) != 64:
        return False
    r, s = point_of(signature[:32]), int.from_bytes(signature[32:], "little")
    if r is None or s >= ORDER:
        return False
    hashed = hashlib.sha512(signature[:32] + public_key + message).digest()
    return same(times(s, BASE), added(r, times(int.from_bytes(hashed, "little") % ORDER, key)))


# --- canonical JSON ----------------------------------------------------------------------------------


def canonical(value: Any) -> bytes:
    """Return the one writing of texts, whole numbers, true, false, null and objects with ASCII names."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


# --- the chain -----------------------------------------------------------------------------------------


def link_hash(entry: Mapping[str, Any]) -> str:
    """Return the hash an entry must have behind its ``prev``."""
    digest = hashlib.sha256(b"\x12" + canonical({name: entry[name] for name in MEMBERS})).digest()
    return hashlib.sha256(b"\x11" + bytes.fromhex(entry["prev"]) + digest).hexdigest()


def is_signed(checkpoint: Mapping[str, Any], known_key: str | None = None) -> bool:
    """Tell whether a checkpoint is signed by the key it names, and by the one that is known."""
    public = bytes.fromhex(checkpoint["public_key"])
    named = hashlib.sha256(public).digest()[:16].hex()
    if named != checkpoint["key_id"] or named != (known_key or named):
        return False
    message = canonical({name: checkpoint[name] for name in SIGNED})
    return is_signature(public, message, bytes.fromhex(checkpoint["signature"]))


def verify(
    entries: Iterable[Mapping[str, Any]],
    checkpoint: Mapping[str, Any],
    known_key: str | None = None,
) -> tuple[int, str | None]:
    """Return how many entries hold, and the first fault or None."""
    if not is_signed(checkpoint, known_key):
        return 0, "checkpoint"
    return follow(entries, checkpoint)


def follow(
    entries: Iterable[Mapping[str, Any]], checkpoint: Mapping[str, Any]
) -> tuple[int, str | None]:
    """Follow the chain from its start to behind the checkpoint."""
    size, head = 0, START
    if checkpoint["size"] == 0 and checkpoint["head"] != head:
        return 0, "fork"
    for entry in entries:
        if entry["seq"] != size + 1:
            return size, "seq"
        if entry["prev"] != head:
            return size, "prev"
        if entry["hash"] != link_hash(entry):
            return size, "hash"
        if entry["seq"] == checkpoint["size"] and entry["hash"] != checkpoint["head"]:
            return size, "fork"
        size, head = entry["seq"], entry["hash"]
    return size, "short" if size < checkpoint["size"] else None


FAULTS = {
    "checkpoint": "the checkpoint is not signed by the key expected",
    "seq": "an entry is missing, doubled or moved",
    "prev": "an entry does not follow the one before it",
    "hash": "an entry was changed",
    "fork": "this is another journal than the one the checkpoint was taken of",
    "short": "the end is missing",
}


def main(arguments: Sequence[str]) -> int:
    """Verify two files; returns the exit code."""
    if len(arguments) not in {2, 3}:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    try:
        checkpoint = json.loads(Path(arguments[1]).read_text(encoding="utf-8"))
        with Path(arguments[0]).open(encoding="utf-8") as lines:
            size, fault = verify(map(json.loads, lines), checkpoint, *arguments[2:])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        sys.stderr.write(f"Cannot be read: {type(error).__name__}\n")
        return 2
    if fault:
        sys.stdout.write(f"NOT VERIFIED after entry {size}: {FAULTS[fault]}\n")
        return 1
    sys.stdout.write(f"Verified: {size} entries, checkpoint at {checkpoint['size']}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
