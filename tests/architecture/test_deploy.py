"""The examples of `deploy/` can be used as they are: units load, names exist, commands are ours."""

import json
import re
import shutil
import subprocess
from configparser import RawConfigParser

import click
import pytest
import yaml

from orchestrator.broker.topology import QUEUES
from parvis.cli.main import cli
from parvis.settings import NAMES
from parvis.workers import PATIENCE_SECONDS
from tests.architecture.tree import ROOT
from tests.plugins.requirements import require

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
PROGRAM = "/opt/parvis/.venv/bin/parvis"
KNOWN = {*NAMES, "PARVIS_DATABASE_URL_FILE", "PARVIS_BROKER_URL_FILE"}
ONCE = {"init", "migrate", "rabbitmq-policies"}
SERVERS = {"postgres", "rabbitmq1", "rabbitmq2", "rabbitmq3"}
GIVEN = re.compile(r"\$\{(\w+)")
SECONDS = {"s": 1, "min": 60}


def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


def settings_of(path):
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def read_unit(path):
    unit = RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",))
    unit.optionxform = str
    unit.read_string(path.read_text(encoding="utf-8"))
    return unit


def assert_command(words):
    """The command line reads these words: the command is there, and so are its options."""
    command = cli.commands[words[0]]
    with click.Context(command, info_name=words[0]) as context:
        command.parse_args(context, list(words[1:]))


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(s|min)?", text).groups()
    return int(number) * SECONDS[unit or "s"]


# --- systemd --------------------------------------------------------------------------------------


def test_there_is_a_unit_for_every_process():
    assert [path.stem for path in UNITS] == [
        f"parvis-{name}" for name in ("migrate", "relay", "scheduler", "web", "worker")
    ]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_starts_a_command_of_ours(path):
    start = read_unit(path)["Service"]["ExecStart"].split()

    assert start[0] == PROGRAM
    assert_command(start[1:])


@pytest.mark.parametrize(
    "path", [path for path in UNITS if path.stem != "parvis-migrate"], ids=lambda path: path.stem
)
def test_a_unit_comes_back_and_has_the_time_to_drain(path):
    service = read_unit(path)["Service"]

    assert service["Restart"] == "always"
    assert service["KillMode"] == "mixed"
    assert seconds(service["TimeoutStopSec"]) > PATIENCE_SECONDS


@pytest.fixture(scope="module")
def units(tmp_path_factory):
    """The units with a program that is on this machine."""
    if shutil.which("systemd-analyze") is None:
        require("systemd", "les essais des unités", "apt-get install systemd")
    folder = tmp_path_factory.mktemp("units")
    for path in (*UNITS, DEPLOY / "systemd/parvis.target"):
        text = path.read_text(encoding="utf-8").replace(PROGRAM, shutil.which("true"))
        (folder / path.name).write_text(text)
    return folder


def analyzed(*arguments):
    done = subprocess.run(
        ["systemd-analyze", "--no-pager", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_systemd_finds_nothing_wrong_with_the_units(units):
    assert analyzed("verify", "--man=no", *sorted(units.iterdir())) == (0, "")


def test_systemd_sees_what_is_wrong_with_a_unit(units, tmp_path):
    wrong = (units / "parvis-worker.service").read_text().replace("KillMode=", "KilMode=")
    (tmp_path / "wrong.service").write_text(wrong)

    assert "KilMode" in analyzed("verify", "--man=no", tmp_path / "wrong.service")[1]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_process_is_given_no_more_than_it_needs(units, path):
    """The exposure that systemd computes, from 0 (nothing) to 100; an unprotected service has 96."""
    code, said = analyzed("security", "--offline=true", "--threshold=20", units / path.name)

    assert code == 0, said[-200:]


# --- names ----------------------------------------------------------------------------------------


def test_every_setting_of_the_examples_exists():
    named = set(settings_of(DEPLOY / "systemd/parvis.env"))
    for path in UNITS:
        environment = read_unit(path)["Service"].get("Environment", "")
        named |= {pair.split("=")[0] for pair in environment.split()}
    for service in compose()["services"].values():
        named |= {name for name in service.get("environment", {}) if name.startswith("PARVIS_")}

    assert named - KNOWN == set()


def test_what_the_compose_file_asks_for_is_in_its_model_without_a_value():
    asked = set(GIVEN.findall((DEPLOY / "compose.yaml").read_text(encoding="utf-8")))
    model = settings_of(DEPLOY / "compose.env")

    assert asked == set(model)
    assert [name for name, value in model.items() if value and name != "PARVIS_PUBLIC_URL"] == []


# --- compose --------------------------------------------------------------------------------------


def test_every_process_runs_and_what_stands_by_runs_twice():
    services = compose()["services"]
    ours = {name for name in services if "build" in services[name]}

    assert ours - ONCE == {"web", "worker", "relay", "scheduler"}
    assert set(services) - ours - ONCE == SERVERS
    for name in ("worker", "relay", "scheduler"):
        assert services[name]["deploy"]["replicas"] == 2
    for name in ours:
        assert_command(services[name]["command"])


def test_every_lasting_service_is_looked_after_and_has_the_time_to_stop():
    for name, service in compose()["services"].items():
        if name not in ONCE:
            assert service["healthcheck"]["test"], name
            assert service["restart"] == "unless-stopped", name
            assert seconds(service["stop_grace_period"]) > PATIENCE_SECONDS, name


def test_what_a_service_waits_for_mounts_or_keeps_is_there():
    document = compose()
    for name, service in document["services"].items():
        waits = service.get("depends_on", {})
        assert set(waits) <= set(document["services"]), name
        for other, condition in waits.items():
            once = condition["condition"] == "service_completed_successfully"
            assert once == (other in ONCE), name
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            is_file = source.startswith(".")
            assert (DEPLOY / source).exists() if is_file else source in document["volumes"], mount


def test_secrets_come_from_outside():
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")

    for line in text.splitlines():
        if re.search(r"PASS|COOKIE|_URL:", line):
            assert "${" in line, line


def test_the_three_nodes_know_each_other_and_share_one_cookie():
    services, text = compose()["services"], (DEPLOY / "rabbitmq/rabbitmq.conf").read_text()
    nodes = [f"rabbitmq{number}" for number in (1, 2, 3)]

    assert re.findall(r"= rabbit@(\w+)$", text, re.MULTILINE) == nodes
    assert [services[node]["hostname"] for node in nodes] == nodes
    cookies = {services[node]["environment"]["RABBITMQ_ERLANG_COOKIE"] for node in nodes}
    assert len(cookies) == 1
    url = services["worker"]["environment"]["PARVIS_BROKER_URL"]
    assert [f"@{node}:5672/parvis" in url for node in nodes] == [True] * 3


def test_the_policies_name_our_queues_and_no_argument_that_a_queue_declares():
    """An argument given twice, by declaration and by policy, would be decided by neither alone."""
    (policy,) = json.loads((DEPLOY / "rabbitmq/policies.json").read_text())["policies"]
    declared = {name.removeprefix("x-") for queue in QUEUES for name in queue.arguments}

    assert all(re.match(policy["pattern"], queue.name) for queue in QUEUES)
    assert not set(policy["definition"]) & declared


def test_the_image_takes_what_it_needs_of_this_folder_and_no_more():
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    copied = [
        word for line in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE) for word in line.split()
    ]

    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert {"orchestrator", "parvis", "web", "connectors", "schemas", "identity"} <= set(copied)
    assert "tests" not in copied
    assert re.search(r"^USER parvis$", text, re.MULTILINE)
