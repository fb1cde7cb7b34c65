"""A loop that stands still is told with its place; one that turns, or a slow machine, is not."""

import json
import subprocess
import sys

from parvis.blocked_loop import place_of

PROGRAM = """
from gevent import monkey
monkey.patch_all()
import gevent
from gevent.monkey import get_original
from parvis.blocked_loop import LoopWatch
from parvis.logs import configure

def waits_in_c():
    get_original("time", "sleep")(1.5)

def waits_with_the_others():
    gevent.sleep(1.5)

configure("json")
LoopWatch().start()
gevent.sleep(0.3)
{waits}()
gevent.sleep(0.3)
"""


def _lines(waits):
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(waits=waits)],
        capture_output=True,
        text=True,
        check=True,
        timeout=25,
    )
    return [json.loads(line) for line in (ran.stdout + ran.stderr).splitlines()]


def test_a_wait_that_holds_up_every_run_is_logged_with_its_place():
    told = [line for line in _lines("waits_in_c") if line["event"] == "loop.blocked"]

    assert any("waits_in_c" in line["where"] for line in told)
    assert max(line["milliseconds"] for line in told) >= 1000


def test_a_wait_that_cooperates_is_not_blamed():
    told = [line for line in _lines("waits_with_the_others") if line["event"] == "loop.blocked"]

    assert not any("waits_with_the_others" in line["where"] for line in told)


def test_a_place_says_where_and_never_with_what():
    secret = "PV-SECRET"

    place = place_of(sys._getframe())

    assert place.startswith(f"{__name__}.test_a_place_says_where_and_never_with_what:")
    assert secret not in place
    assert place_of(None) == "?"
