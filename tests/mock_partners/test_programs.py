"""The mocks as programs, each alone and all in one process."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
KINDS = sorted(path.parent.name for path in HERE.glob("*/settings.json"))


@pytest.fixture
def run():
    """Start a program, give its first line and the process; stop it at the end."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        line = process.stdout.readline()
        return (json.loads(line) if line else None), process

    yield start
    for process in started:
        process.terminate()
        process.communicate(timeout=10)


def test_every_mock_has_example_settings():
    packages = (ROOT / "mock_partners").glob("*/__main__.py")
    assert sorted(path.parent.name for path in packages) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_mock_runs_alone_and_ends_cleanly(run, connect, kind):
    began = time.monotonic()
    ready, process = run(f"mock_partners.{kind}", "--settings", str(HERE / kind / "settings.json"))
    started_in = time.monotonic() - began
    assert ready["url"].startswith("http://127.0.0.1:")
    assert connect(ready["url"]).call("GET", "/_mock/journal").json == {"entries": []}
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=10)
    assert (process.returncode, output, errors) == (0, "", "")
    assert started_in < 5  # a second on a quiet machine


def test_a_mock_takes_the_ports_it_is_given(run, connect):
    settings = str(HERE / KINDS[0] / "settings.json")
    ready, process = run(f"mock_partners.{KINDS[0]}", "--settings", settings, "--control-port", "0")
    assert connect(ready["control_url"]).call("GET", "/_mock/faults").json == {"faults": []}
    port = ready["url"].rpartition(":")[2]
    process.terminate()
    process.communicate(timeout=10)
    again, _ = run(f"mock_partners.{KINDS[0]}", "--settings", settings, "--port", port)
    assert again["url"] == ready["url"]


def test_a_whole_city_runs_in_one_process(run, connect, tmp_path, settings_of):
    mocks = {f"{kind}_one": {"kind": kind, "settings": settings_of(kind)} for kind in KINDS}
    mocks["another"] = {"kind": KINDS[0], "port": 0, "settings": settings_of(KINDS[0])}
    mocks["steered"] = {"kind": KINDS[0], "control_port": 0, "settings": settings_of(KINDS[0])}
    path = tmp_path / "city.json"
    path.write_text(json.dumps({"mocks": mocks}))
    ready, process = run("mock_partners", "--settings", str(path))
    assert set(ready) == {*mocks, "steered.control"}
    assert len(set(ready.values())) == len(ready)
    del ready["steered"]
    for url in ready.values():
        assert connect(url).call("GET", "/_mock/journal").status == 200
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("city", "says"),
    [
        ({"mock": {}}, "the settings are"),
        ({"mocks": {"a": {"port": 1}}}, "kind at least"),
        ({"mocks": {"a": {"kind": "no_such_mock"}}}, "no mock of kind"),
        ({"mocks": {"a": {"kind": "../x"}}}, "a module name"),
        ({"mocks": {"a": {"kind": "clock"}}}, "is no mock"),
        ([], "a JSON object is wanted"),
    ],
)
def test_a_city_that_cannot_be_is_refused_in_words(run, tmp_path, city, says):
    path = tmp_path / "city.json"
    path.write_text(json.dumps(city))
    ready, process = run("mock_partners", "--settings", str(path))
    _, errors = process.communicate(timeout=10)
    assert (ready, process.returncode) == (None, 2)
    assert says in errors


def test_settings_that_are_not_there_are_refused(run, tmp_path):
    _, process = run(f"mock_partners.{KINDS[0]}", "--settings", str(tmp_path / "none.json"))
    _, errors = process.communicate(timeout=10)
    assert "settings:" in errors
