"""Drives an HTTP server with requests prepared beforehand, each used once.

wrk when the machine has it (it costs the least of the processors that are measured), otherwise a
small driver of our own on raw sockets. The file holds raw requests, each after its length on four
bytes.
"""

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LUA: Final = """
local file = assert(io.open(os.getenv("LOAD_REQUESTS"), "rb"))
local all = file:read("*a")
file:close()
local place = 1
request = function()
  if place > #all then wrk.thread:stop() return "GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" end
  local a, b, c, d = all:byte(place, place + 3)
  local size = ((a * 256 + b) * 256 + c) * 256 + d
  local one = all:sub(place + 4, place + 3 + size)
  place = place + 4 + size
  return one
end
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("FIGURES %d %d %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a pass gave; ``not_2xx`` counts connection errors too."""

    answered: int
    seconds: float
    p50_ms: float
    p99_ms: float
    not_2xx: int


def drive(requests: Path, *, port: int, connections: int, seconds: float) -> Figures:
    """Send for so many seconds over so many connections."""
    wrk = shutil.which("wrk")
    if wrk:
        return _wrk(wrk, requests, port=port, connections=connections, seconds=seconds)
    prepared = list(_read(requests))
    return asyncio.run(_own(prepared, port=port, connections=connections, seconds=seconds))


def _wrk(wrk: str, requests: Path, *, port: int, connections: int, seconds: float) -> Figures:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_LUA)
        script.flush()
        command = [
            wrk,
            "-t1",
            f"-c{connections}",
            f"-d{max(1, round(seconds))}s",
            "-s",
            script.name,
        ]
        done = subprocess.run(
            [*command, f"http://127.0.0.1:{port}"],
            env=os.environ | {"LOAD_REQUESTS": str(requests)},
            capture_output=True,
            text=True,
            check=True,
        )
    found = re.search(r"FIGURES (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)", done.stdout)
    if not found:
        raise SystemExit(f"wrk said nothing of use: {done.stdout[-500:]} {done.stderr[-500:]}")
    answered, microseconds, p50, p99, status, lost = (int(number) for number in found.groups())
    return Figures(
        answered=answered - status,
        seconds=microseconds / 1e6,
        p50_ms=p50 / 1e3,
        p99_ms=p99 / 1e3,
        not_2xx=status + lost,
    )


def _read(requests: Path) -> Iterator[bytes]:
    raw, place = requests.read_bytes(), 0
    while place < len(raw):
        size = int.from_bytes(raw[place : place + 4], "big")
        yield raw[place + 4 : place + 4 + size]
        place += 4 + size


async def _own(prepared: list[bytes], *, port: int, connections: int, seconds: float) -> Figures:
    times: list[float] = []
    refused = 0
    started = time.perf_counter()
    end = started + seconds

    async def one() -> None:
        nonlocal refused
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while prepared and time.perf_counter() < end:
            sent = time.perf_counter()
            writer.write(prepared.pop())
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            await reader.readexactly(int(length[1]) if length else 0)
            if head[9:10] == b"2":
                times.append(time.perf_counter() - sent)
            else:
                refused += 1
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    lasted = time.perf_counter() - started
    times.sort()
    return Figures(
        answered=len(times),
        seconds=lasted,
        p50_ms=_at(times, 0.5),
        p99_ms=_at(times, 0.99),
        not_2xx=refused,
    )


def _at(times: list[float], share: float) -> float:
    return times[min(len(times) - 1, int(len(times) * share))] * 1e3 if times else 0.0
