"""Writes what the long campaigns said into a page: ``python -m tests.reliability.evidence FOLDER PAGE``."""

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

COLUMNS = ("attempt", "acknowledged", "ok", "lost", "duplicated", "recovered", "unexpected")


def main(folder: Path, page: Path) -> int:
    """Read the reports of a folder, write the page, and tell whether all of them are clean."""
    reports = [
        json.loads(line)
        for path in sorted(folder.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    if not reports:
        sys.stderr.write(f"{folder}: no report\n")
        return 1
    page.write_text("\n".join(_lines(reports)) + "\n", encoding="utf-8")
    sys.stdout.write(page.read_text(encoding="utf-8"))
    is_clean = all(
        not report[bad] for report in reports for bad in ("lost", "duplicated", "unexpected")
    )
    return 0 if is_clean else 1


def _lines(reports: list[dict]) -> list[str]:
    said = [
        "# The last long campaign",
        "",
        (
            f"Commit {_commit()}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, "
            f"Python {platform.python_version()}."
        ),
        "",
        f"| campaign | seed | {' | '.join(COLUMNS)} |",
        f"|---|---|{'---|' * len(COLUMNS)}",
    ]
    for report in reports:
        counts = " | ".join(str(report[name]) for name in COLUMNS)
        said.append(f"| {report['name']} | {report['seed']} | {counts} |")
    said.append("")
    for report in reports:
        more = ", ".join(f"{name} {number}" for name, number in report["more"].items() if number)
        said.append(f"- {report['name']}: {more or 'nothing more'}")
    return said


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
