"""Logs: one JSON line per fact, with the few members we agreed on and nothing of anybody's data.

What is not on the list is dropped, whoever wrote it. Libraries are heard from WARNING on, by the
place they complain from and never by what they say about a value.
"""

import json
import logging
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TextIO

import structlog

from schemas import clock

ALLOWED: Final = frozenset(
    {"ts", "level", "event", "logger", "request_id", "run_id", "message_id", "trace_id", "partner"}
    | {
        "journey",
        "version",
        "step",
        "outcome",
        "next",
        "status",
        "method",
        "route",
        "result",
        "type",
    }
    | {"profile", "operation", "error", "reason", "where", "trace", "count", "runs", "revision"}
    | {"seconds", "milliseconds", "worker", "pid", "port", "state", "slug", "service", "territory"}
)
LONGEST: Final = 300
_FRAMES: Final = 12
_FIRST: Final = ("ts", "level", "event")
Event = MutableMapping[str, Any]


def configure(log_format: str = "json", *, stream: TextIO | None = None) -> None:
    """Send the process's logs to ``stream`` (standard error), as JSON lines or for people."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _stamped,
            _without_values,
            allowed_only,
            _for_people if log_format == "console" else _json_line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [LibraryHandler()]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


class LibraryHandler(logging.Handler):
    """Says that a library complained, where, and with which error; its message stays out."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line about a library's record."""
        error = record.exc_info[1] if record.exc_info else None
        structlog.get_logger().log(
            record.levelno,
            "library",
            logger=record.name,
            where=f"{record.module}:{record.lineno}",
            exc_info=error,
        )


def allowed_only(_logger: object, _name: str, event: Event) -> Event:
    """Keep the members on the list, as short plain values on one line."""
    ordered = (*_FIRST, *sorted(ALLOWED.intersection(event).difference(_FIRST)))
    return {key: plain(event[key]) for key in ordered if key in event}


def plain(value: object) -> str | int | float | bool | None:
    """Return a value fit for a log: a number, or one short line without control characters."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = str(value)
    short = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in short)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


def _stamped(_logger: object, _name: str, event: Event) -> Event:
    event["ts"] = clock.rfc3339(clock.utcnow())
    return event


def _without_values(_logger: object, _name: str, event: Event) -> Event:
    """Turn an exception into its class and the places it went through, never its text."""
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        event["trace"] = _places(error.__traceback__)
    return event


def _places(trace: TracebackType | None) -> str:
    frames = traceback.extract_tb(trace)[-_FRAMES:]
    return " > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)


def _json_line(_logger: object, _name: str, event: Mapping[str, Any]) -> str:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def _for_people(_logger: object, _name: str, event: Mapping[str, Any]) -> str:
    rest = " ".join(f"{key}={value}" for key, value in event.items() if key not in _FIRST)
    return f"{event['ts']} {str(event['level']).upper():8} {event['event']} {rest}".rstrip()
