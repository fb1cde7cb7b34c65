"""What the catalogue knows of a type of event."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from schemas.strict import Part, Strict


class Way(Enum):
    """Which way a type travels."""

    RECEIVED = "received"
    WEBHOOK = "webhook"
    BUS = "bus"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """One type: its name on the wire, its schema, an example, and what intake does with it.

    ``starts_run`` is true when a journey begins (or is fed) with it; ``is_own_page_only`` when no
    partner may be allowed it; ``has_subject`` is false where an event must not point at a person.
    """

    name: str
    title: str
    schema: type[Strict]
    example: Mapping[str, Any]
    way: Way = Way.RECEIVED
    starts_run: bool = False
    is_own_page_only: bool = False
    has_subject: bool = True
    _reader: Strict = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_reader", self.schema())

    def read(self, data: object) -> dict[str, Any]:
        """Return normalised data; raises marshmallow's ValidationError."""
        return self._reader.read(data)

    def describe(self) -> dict[str, Any]:
        """Return the JSON Schema of ``data``."""
        return self._reader.describe()

    @property
    def personal(self) -> tuple[str, ...]:
        """Return the paths of the members that say something of a person, ``contact/address``."""
        return tuple(sorted(_personal(self._reader, "")))


def _personal(schema: Strict, prefix: str) -> Iterator[str]:
    for name, member in schema.fields.items():
        if isinstance(member, Part):
            yield from _personal(member.schema, f"{prefix}{name}/")
        elif member.metadata.get("pii", {}).get("class") != "none":
            yield f"{prefix}{name}"
