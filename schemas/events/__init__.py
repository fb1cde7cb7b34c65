"""The types of events: one file each, found by looking, never registered by hand.

A module of this package (or of ``schemas.events.sent`` for what the hub itself says) holds the
schema of its type and ``EVENTS``, the entries of the catalogue it brings. Modules whose name
begins with an underscore are shared parts.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from marshmallow import ValidationError

import schemas.events.sent
from schemas.errors import InvalidPayloadError, UnknownMessageTypeError
from schemas.events._model import EventType
from schemas.strict_json import Tokens, pointer

__all__ = ["EventType", "catalogue", "sent_catalogue", "validate", "validate_sent"]


@cache
def catalogue() -> Mapping[str, EventType]:
    """Return the types a partner (or a page of ours) may send, by name."""
    return _catalogue_of(__name__, __path__)


@cache
def sent_catalogue() -> Mapping[str, EventType]:
    """Return the types the hub sends, to partners and on the bus, by name."""
    return _catalogue_of(schemas.events.sent.__name__, schemas.events.sent.__path__)


def validate(type_name: str, data: object, *, subject: str | None = None) -> dict[str, Any]:
    """Return the normalised ``data`` of a received event.

    Raises:
        UnknownMessageTypeError: no partner may send this type, whoever it is.
        InvalidPayloadError: with a pointer and a sentence for every fault, slug ``invalid-data``.
    """
    return _validate(catalogue(), type_name, data, subject)


def validate_sent(type_name: str, data: object, *, subject: str | None = None) -> dict[str, Any]:
    """Return the normalised ``data`` of an event of the hub's own; raises as ``validate``."""
    return _validate(sent_catalogue(), type_name, data, subject)


def _validate(
    types: Mapping[str, EventType], type_name: str, data: object, subject: str | None
) -> dict[str, Any]:
    event_type = types.get(type_name)
    if event_type is None:
        raise UnknownMessageTypeError
    if subject is not None and not event_type.has_subject:
        errors = (("#/subject", "Ce type d'événement ne porte pas de « subject »."),)
        raise InvalidPayloadError(errors, slug="invalid-data")
    try:
        return event_type.read(data)
    except ValidationError as error:
        raise InvalidPayloadError(tuple(_pairs(("data",), error.messages))) from None


def _pairs(path: Tokens, messages: Any) -> Iterator[tuple[str, str]]:
    """Flatten marshmallow's nested messages into (pointer, sentence) pairs."""
    if isinstance(messages, dict):
        for step, inner in messages.items():
            yield from _pairs(path if step == "_schema" else (*path, step), inner)
    elif isinstance(messages, list):
        for message in messages:
            yield from _pairs(path, message)
    else:
        yield pointer(path), str(messages)


def _catalogue_of(package: str, path: Any) -> Mapping[str, EventType]:
    found: dict[str, EventType] = {}
    for module in pkgutil.iter_modules(path):
        if module.ispkg or module.name.startswith("_"):
            continue
        for event_type in importlib.import_module(f"{package}.{module.name}").EVENTS:
            if event_type.name in found:
                raise ValueError(event_type.name)
            found[event_type.name] = event_type
    return MappingProxyType(dict(sorted(found.items())))
