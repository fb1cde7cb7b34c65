"""Canonical JSON (RFC 8785) for what is signed or chained: one value, one text.

Our records hold texts, whole numbers, booleans, null, lists and objects; a fraction has no business in
them and is refused, as are keys beyond ASCII, whose order differs from one language to the next.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

_MOST: Final = 2**53 - 1
_encode = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
).encode


def canonical(value: Any) -> bytes:
    """Return the one writing of a value; raises ValueError for what has none here."""
    _check(value)
    return _encode(value).encode()


def _check(value: Any) -> None:
    match value:
        case None | bool() | str():
            return
        case int() if -_MOST <= value <= _MOST:
            return
        case list() | tuple():
            for one in value:
                _check(one)
        case Mapping():
            for name, one in value.items():
                if not (isinstance(name, str) and name.isascii()):
                    raise ValueError("A key of a record is ASCII text.")
                _check(one)
        case _:
            raise ValueError("A record holds texts, whole numbers, booleans, lists and objects.")
