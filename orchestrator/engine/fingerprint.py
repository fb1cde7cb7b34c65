"""The fingerprint of a published journey: a run under way must find the steps it started with.

What the language learnt after a journey was published is told only where a journey uses it, so that
a definition nobody touched keeps its digest.
"""

import hashlib
import json
from dataclasses import Field, fields, is_dataclass
from datetime import timedelta
from typing import Any

from orchestrator.engine.journey import QUIET, Journey


def fingerprint(journey: Journey) -> str:
    """Return a digest of step names and kinds, their parameters and the names of their functions."""
    described = {"key": _described(journey.key), "steps": [_described(s) for s in journey.steps]}
    described["starts_on"] = list(journey.starts_on)
    described["on_end"] = _described(journey.on_end)
    if journey.on_failure != "person":
        described["on_failure"] = journey.on_failure
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def _described(value: Any) -> Any:
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g} s"
    if callable(value):
        return f"{value.__module__}.{value.__qualname__}"
    if is_dataclass(value) and not isinstance(value, type):
        told = [field for field in fields(value) if _is_told(field, getattr(value, field.name))]
        members = {field.name: _described(getattr(value, field.name)) for field in told}
        return {"kind": type(value).__name__, **members}
    if isinstance(value, tuple | list):
        return [_described(item) for item in value]
    return value


def _is_told(field: Field[Any], value: Any) -> bool:
    return field.metadata != QUIET or value != field.default
