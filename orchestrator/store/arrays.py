"""Columns of shared statements: arrays of the type that the statement says, written in one go.

The driver asks each element of a list what it is, which costs a worker as much as sending them, and sends
a list of nothing but None as another type: one more statement to prepare for each such column.
"""

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

_NULL: Final = b"\xff\xff\xff\xff"
_EMPTY: Final = struct.Struct(">iiI")
_HEAD: Final = struct.Struct(">iiIii")
_SIZE: Final = struct.Struct(">i")
_INT: Final = struct.Struct(">ii")
_BIGINT: Final = struct.Struct(">iq")
_SIXTEEN: Final = _SIZE.pack(16)
_TRUE, _FALSE = b"\x00\x00\x00\x01\x01", b"\x00\x00\x00\x01\x00"
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


def _sized(value: bytes) -> bytes:
    return _SIZE.pack(len(value)) + value


def _moment(value: datetime) -> bytes:
    passed = value - _EPOCH
    seconds = passed.days * 86_400 + passed.seconds
    return _BIGINT.pack(8, seconds * 1_000_000 + passed.microseconds)


_ELEMENTS: Final[dict[str, Callable[[Any], bytes]]] = {
    "uuid": lambda value: _SIXTEEN + value.bytes,
    "int": lambda value: _INT.pack(4, value),
    "bigint": lambda value: _BIGINT.pack(8, value),
    "bool": lambda value: _TRUE if value else _FALSE,
    "text": lambda value: _sized(value.encode()),
    "bytea": _sized,
    "timestamptz": _moment,
}
_NAMES: Final = {"int": "int4"}
"""Types that the driver knows by another name."""


class Array:
    """One column, ready to leave; each type has a class of its own, by which the driver knows it."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


def array(kind: str, values: Sequence[Any]) -> Array:
    """Return values as an array of a type; None is NULL."""
    return _MAKERS[kind](values)


def columns_of(
    columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]], *, prefix: str = ""
) -> dict[str, Array]:
    """Return rows as arrays, by the names of the columns (name, type) that their values are of."""
    return {
        prefix + name: array(kind, values)
        for (name, kind), values in zip(columns, zip(*rows, strict=True), strict=True)
    }


def _maker(kind: str, element: Callable[[Any], bytes]) -> Callable[[Sequence[Any]], Array]:
    info = psycopg.adapters.types[_NAMES.get(kind, kind)]

    class Column(Array):
        __slots__ = ()

    class ColumnDumper(Dumper):
        oid = info.array_oid
        format = Format.BINARY

        def dump(self, obj: Array) -> bytes:
            return obj.data

    psycopg.adapters.register_dumper(Column, ColumnDumper)

    def make(values: Sequence[Any]) -> Array:
        if not values:
            return Column(_EMPTY.pack(0, 0, info.oid))
        head = _HEAD.pack(1, None in values, info.oid, len(values), 1)
        parts = [_NULL if value is None else element(value) for value in values]
        return Column(head + b"".join(parts))

    return make


_MAKERS: Final = {kind: _maker(kind, element) for kind, element in _ELEMENTS.items()}
