import json
import subprocess
import sys

from tests.plugins.hub import ROOT

PROGRAM = """
import json
from types import SimpleNamespace as Made
from parvis import scheduler, worker

part = Made(run=print, stop=print)

def names(loops):
    return [loop.name for loop in loops]

def hub(broker_url):
    return Made(worker=part, timers=part, settings=Made(broker_url=broker_url))

bus = "amqp://parvis.example.org"
print(json.dumps({
    "alone": names(worker._loops(hub(None), may_keep_time=True)),
    "told not to": names(worker._loops(hub(None), may_keep_time=False)),
    "with a broker": names(worker._loops(hub(bus), may_keep_time=True)),
    "scheduler": names(scheduler._loops(hub(bus))),
    "grace": worker.GRACE_SECONDS,
}))
"""


def test_a_worker_keeps_time_only_where_nothing_else_does_and_drains_within_its_parents_patience():
    from parvis.process import STOP_SECONDS
    from parvis.workers import PATIENCE_SECONDS

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)

    assert told["alone"] == ["worker", "timers"]
    assert told["told not to"] == told["with a broker"] == ["worker"]
    assert told["scheduler"] == ["timers"]
    assert told["grace"] < STOP_SECONDS < 45 < PATIENCE_SECONDS
