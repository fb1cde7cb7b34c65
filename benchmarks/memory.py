"""The memory of the whole demonstration, process by process, the supervisor included.

``python -m benchmarks.memory [--data DIR]``. RSS counts shared pages in every process that maps them;
PSS shares them out, so its sum is what the machine really gives. Goal: at most 700 MiB RSS.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.lab.figures import keep
from benchmarks.running_demo import RunningDemo, running_demo


def main(arguments: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.memory")
    parser.add_argument("--data", type=Path, help="folder of a running demonstration")
    options = parser.parse_args(arguments)
    with running_demo(options.data) as demo:
        found = memory_of(demo)
    rss, pss = (sum(each[kind] for each in found.values()) for kind in ("rss_mib", "pss_mib"))
    total = {"rss_mib": round(rss, 1), "pss_mib": round(pss, 1)}
    keep("demo-memory", {"figures": total, "processes": found})
    print(json.dumps({**found, "total": total}))
    return 0


def memory_of(demo: RunningDemo) -> dict[str, dict[str, float]]:
    """Return the MiB of each process with its children."""
    roots = {"supervisor": demo.supervisor, **demo.state["pids"]}
    heads = set(roots.values())
    return {name: _sum(pid, stop_at=heads - {pid}) for name, pid in roots.items()}


def _sum(pid: int, *, stop_at: set[int]) -> dict[str, float]:
    rolls = [_roll(each) for each in _family(pid, stop_at)]
    return {
        "rss_mib": round(sum(roll.get("Rss:", 0) for roll in rolls) / 1024, 1),
        "pss_mib": round(sum(roll.get("Pss:", 0) for roll in rolls) / 1024, 1),
    }


def _family(pid: int, stop_at: set[int]) -> Iterator[int]:
    if pid in stop_at:
        return
    yield pid
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            yield from _family(int(child), stop_at)


def _roll(pid: int) -> dict[str, int]:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return {}
    return {line.split()[0]: int(line.split()[1]) for line in lines}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
