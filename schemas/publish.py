"""The documents partners read: one JSON Schema per type of event, and the envelope.

``python -m schemas.publish`` writes them to ``schemas/published/``; with ``--check`` it only says
which differ and exits 1. ``asyncapi.yaml``, beside them, is written by hand.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from schemas import cloudevents, events
from schemas.events import EventType

FOLDER: Final = Path(__file__).parent / "published"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
ROOT: Final = "https://parvis.example.org/schemas/"
ENVELOPE: Final = "envelope.json"


def event_document(event_type: EventType) -> dict[str, Any]:
    """Return the JSON Schema of a type's ``data``, with its example."""
    heading = {
        "$schema": DIALECT,
        "$id": f"{ROOT}{event_type.name}.json",
        "title": event_type.title,
    }
    return heading | event_type.describe() | {"examples": [dict(event_type.example)]}


def envelope_document() -> dict[str, Any]:
    """Return the JSON Schema of an event as the hub accepts it, whatever its type.

    Some rules cannot be said here: the window of ``time``, control characters, repeated members.
    """
    return {
        "$schema": DIALECT,
        "$id": f"{ROOT}{ENVELOPE}",
        "title": "Un événement CloudEvents 1.0 en mode structuré",
        "type": "object",
        "properties": _attributes(),
        "required": ["specversion", "id", "source", "type", "time"],
        "not": {"required": ["data", "data_base64"], "properties": {"data_base64": _text()}},
        "propertyNames": {"pattern": "^(?:[a-z0-9]+|data_base64)$"},
        "additionalProperties": {"type": ["string", "boolean", "integer", "null"]},
    }


def documents() -> Mapping[str, str]:
    """Return every document by file name, as it is to be written."""
    types = {**events.catalogue(), **events.sent_catalogue()}
    found = {f"{name}.json": event_document(event_type) for name, event_type in types.items()}
    found[ENVELOPE] = envelope_document()
    return {name: _written(document) for name, document in sorted(found.items())}


def stale(folder: Path = FOLDER) -> tuple[str, ...]:
    """Return the names of documents that are missing, differ, or belong to no type any more."""
    wanted = documents()
    present = {path.name: path.read_text("utf-8") for path in _own_files(folder)}
    names = wanted.keys() | present.keys()
    return tuple(sorted(name for name in names if wanted.get(name) != present.get(name)))


def write(folder: Path = FOLDER) -> None:
    """Write every document and remove those no type has any more."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = documents()
    for path in _own_files(folder):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, "utf-8")


def main(arguments: list[str]) -> int:
    """Write the documents, or compare them with ``--check``; return the exit status."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python -m schemas.publish [--check]\n")
        return 2
    if not arguments:
        write()
    differing = stale()
    for name in differing:
        sys.stderr.write(f"schemas/published/{name} is not what the schemas say\n")
    return 1 if differing else 0


def _own_files(folder: Path) -> Iterator[Path]:
    """Yield the documents of this module; others (the API's own) live in the folder too."""
    yield from folder.glob("*.v[0-9]*.json")
    yield from folder.glob(ENVELOPE)


def _attributes() -> dict[str, Any]:
    optional = {"type": ["string", "null"], "minLength": 1}
    moment = {"type": "string", "format": "date-time"}
    return {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "pattern": f"^{cloudevents.ID_PATTERN}$"},
        "source": _text() | {"format": "uri-reference", "maxLength": cloudevents.MAX_REFERENCE},
        "type": _text() | {"pattern": r"^[a-z0-9_.]+$"},
        "subject": optional | {"maxLength": cloudevents.MAX_REFERENCE},
        "time": moment,
        "datacontenttype": optional,
        "dataschema": optional | {"format": "uri"},
        "correlationid": optional,
        "causationid": optional,
        "recordedtime": moment | {"type": ["string", "null"]},
        "data": True,
        "data_base64": {"type": ["string", "null"], "contentEncoding": "base64"},
    }


def _text() -> dict[str, Any]:
    return {"type": "string", "minLength": 1}


def _written(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
