"""Operations: the methods of a connector that a journey's step may call."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeVar

MARK: Final = "__operation__"
AnyMethod = TypeVar("AnyMethod", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a step may call, how it is undone, or that it cannot be (``is_pivot``).

    ``purpose`` is the purpose the gateway checks when the journey's step names none.
    """

    name: str
    method: str
    undo: str | None = None
    purpose: str | None = None
    is_pivot: bool = False
    is_read: bool = False


def operation(
    name: str,
    *,
    undo: str | None = None,
    purpose: str | None = None,
    pivot: bool = False,
    read: bool = False,
) -> Callable[[AnyMethod], AnyMethod]:
    """Mark a method as an operation: undone by ``undo``, or a pivot, or reading only."""

    def mark(method: AnyMethod) -> AnyMethod:
        described = Operation(
            name=name,
            method=method.__name__,
            undo=undo,
            purpose=purpose,
            is_pivot=pivot,
            is_read=read,
        )
        setattr(method, MARK, described)
        return method

    return mark


def operations_of(cls: type) -> Mapping[str, Operation]:
    """Return the operations a class declares, by name."""
    marked = (getattr(getattr(cls, name), MARK, None) for name in dir(cls))
    return MappingProxyType({item.name: item for item in marked if isinstance(item, Operation)})
