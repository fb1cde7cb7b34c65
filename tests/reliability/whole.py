"""The whole campaign, ``make campaign``: everything marked slow, in two halves beside each other.

Seeds compute and real processes mostly wait, so that together they take little longer than the longer
half; the seeds yield to the processes. Whatever comes of it, a page is written: into
``docs/evidence/`` when the campaign was whole, else beside its reports.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.reliability.evidence import (
    Circumstances,
    commit,
    is_clean,
    outcomes_of,
    page,
    reports_of,
)
from tests.reliability.sizes import size

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".cache" / "campaign"
EVIDENCE = ROOT / "docs" / "evidence" / "campaign.md"
SEEDS = ("seeds", "tests/reliability")
PROCESSES = ("processes", "--ignore=tests/reliability")
YIELDS = 10
GOODBYE_SECONDS = 120


def main(arguments: Sequence[str]) -> int:
    """Run both halves with what pytest is told besides; 0 when everything held."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _empty(FOLDER)
    circumstances = Circumstances(
        commit=commit(), begun_at=datetime.now(UTC), command=" ".join(["make campaign", *arguments])
    )
    halves = [_begin(*SEEDS, arguments, yields=YIELDS), _begin(*PROCESSES, arguments, yields=0)]
    try:
        codes = [half.wait() for half in halves]
    except KeyboardInterrupt:
        codes = [_end(half) for half in halves]
    reports, outcomes = reports_of(FOLDER), outcomes_of(FOLDER)
    everything_held = is_clean(reports, outcomes) and not any(codes)
    text = page(
        circumstances,
        reports,
        outcomes,
        ended_at=datetime.now(UTC),
        everything_held=everything_held,
    )
    target = EVIDENCE if size() == 1 and not arguments else FOLDER / EVIDENCE.name
    target.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{text}\n{target.relative_to(ROOT)}; {FOLDER.relative_to(ROOT)}/*.log\n")
    return 0 if everything_held else 1


def _begin(name: str, where: str, more: Sequence[str], *, yields: int) -> "subprocess.Popen[bytes]":
    """Start one half; what it prints is kept."""
    results = f"--junitxml={FOLDER / name}.xml"
    pytest = [sys.executable, "-m", "pytest", "-m", "slow", "-v", where, results, *more]
    environment = {"PARVIS_REQUIRE_ALL": "1", "PARVIS_TEST_REPORTS": str(FOLDER)}
    log = FOLDER / f"{name}.log"
    sys.stdout.write(f"{log.relative_to(ROOT)}: {' '.join(pytest[1:])}\n")
    sys.stdout.flush()
    with log.open("wb") as out:
        return subprocess.Popen(
            ["nice", "-n", str(yields), *pytest],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # asked to stop by us, once, and not by the terminal too
        )


def _end(half: "subprocess.Popen[bytes]") -> int:
    """Have a half stop what it started; insist in the end."""
    half.send_signal(signal.SIGINT)
    try:
        return half.wait(GOODBYE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(half.pid, signal.SIGKILL)
        return half.wait()


def _empty(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
