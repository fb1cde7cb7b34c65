"""Figures as they are told: medians, ratios pair by pair with their spread, a table, a file."""

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
RESULTS: Final = ROOT / "benchmarks" / "results"
IMPATIENT: Final = "PARVIS_BENCH_IMPATIENT"
"""Set, it lets a measure begin on a busy machine: for trying one out, not for figures."""


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value below which a share of the values lies; 0 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def middle(values: Sequence[float], digits: int = 2) -> float | None:
    """Return the median, or None without values."""
    return round(statistics.median(values), digits) if values else None


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, Any]:
    """Return the ratio of each pair of one round, their median and their spread."""
    pairs = [round(one / max(other, 1e-9), 3) for one, other in zip(ours, theirs, strict=False)]
    if not pairs:
        return {"median": None, "pairs": [], "spread": []}
    return {
        "median": round(statistics.median(pairs), 2),
        "pairs": pairs,
        "spread": [min(pairs), max(pairs)],
    }


def machine() -> dict[str, Any]:
    """Return what the figures were taken on: figures of two machines are never compared."""
    return {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
    }


def keep(name: str, told: Mapping[str, Any]) -> Path:
    """Write a measure beside the others of its name and return the file.

    One that was only tried out (``is_try``, or on a machine nobody waited for) says so: its figures
    mean nothing and are never collected.
    """
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    is_try = bool(told.get("is_try") or os.environ.get(IMPATIENT))
    kept = {"measure": name, **machine(), **told, "is_try": is_try}
    text = json.dumps(kept, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows of the same keys as aligned text."""
    if not rows:
        return ""
    names = list(rows[0])
    cells = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(names))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"
