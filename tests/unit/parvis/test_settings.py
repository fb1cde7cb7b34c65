import base64
from pathlib import Path

import pytest

from orchestrator.broker.waker import prefetch_for
from parvis.cli import main
from parvis.settings import MOST_GREENLETS_ON_A_BROKER, Mode, Settings, read_master_keys
from schemas.errors import ConfigurationError


@pytest.fixture
def environ(tmp_path):
    master, secret = tmp_path / "master.key", tmp_path / "secret.key"
    master.write_text(base64.b64encode(bytes(32)).decode() + "\n")
    secret.write_text("s" * 43 + "\n")
    master.chmod(0o600)
    secret.chmod(0o600)
    return {
        "PARVIS_DATABASE_URL": "postgresql://parvis@127.0.0.1/parvis",
        "PARVIS_MASTER_KEY_FILE": str(master),
        "PARVIS_SECRET_KEY_FILE": str(secret),
        "PARVIS_PUBLIC_URL": "https://parvis.example.org/",
        "HOME": "/root",
    }


def faults(environ):
    with pytest.raises(ConfigurationError) as caught:
        Settings.read(environ)
    return caught.value.faults


def test_a_complete_environment_is_read_with_safe_defaults(environ):
    settings = Settings.read(environ)
    assert settings.mode is Mode.PRODUCTION
    assert settings.is_production
    assert settings.master_keys == (bytes(32),)
    assert settings.secret_key == b"s" * 43
    assert settings.public_url == "https://parvis.example.org"
    assert (settings.bind, settings.metrics_port) == ("127.0.0.1:8000", None)
    assert settings.metrics_address == "127.0.0.1"
    assert settings.remarks == ()


def test_every_fault_is_listed_at_once():
    found = faults(
        {"PARVIS_METRICS_PORT": "many", "PARVIS_LOG_FORMAT": "xml", "PARVIS_BIND": "8000"}
    )
    for name in (
        "PARVIS_DATABASE_URL",
        "PARVIS_MASTER_KEY_FILE",
        "PARVIS_SECRET_KEY_FILE",
        "PARVIS_PUBLIC_URL",
        "PARVIS_METRICS_PORT",
        "PARVIS_LOG_FORMAT",
        "PARVIS_BIND",
    ):
        assert sum(fault.startswith(name) for fault in found) == 1, name


def test_a_misspelt_name_is_reported_with_the_nearest_one(environ):
    settings = Settings.read(environ | {"PARVIS_METRIC_PORT": "9", "PARVIS_TEST_CHROMIUM": "x"})
    (remark,) = settings.remarks
    assert "PARVIS_METRIC_PORT" in remark
    assert "PARVIS_METRICS_PORT ?" in remark


def test_the_database_address_may_come_from_a_file(environ, tmp_path):
    file = tmp_path / "url"
    file.write_text("postgresql://secret@db/parvis\n")
    environ["PARVIS_DATABASE_URL_FILE"] = str(file)
    assert any("tous les deux" in fault for fault in faults(environ))
    del environ["PARVIS_DATABASE_URL"]
    assert Settings.read(environ).database_url == "postgresql://secret@db/parvis"


def test_keys_that_others_may_read_are_refused(environ):
    Path(environ["PARVIS_MASTER_KEY_FILE"]).chmod(0o644)
    (fault,) = faults(environ)
    assert "chmod 600" in fault


@pytest.mark.parametrize("content", ["", "not base64!", "c2hvcnQ=", ("A" * 43 + "=\n") * 3])
def test_a_wrong_master_key_file_is_refused_without_repeating_it(tmp_path, content):
    file = tmp_path / "key"
    file.write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        read_master_keys(file)
    assert "parvis init" in str(caught.value)
    assert not content or content not in str(caught.value)


def test_two_master_keys_are_accepted_during_a_rotation(tmp_path):
    file = tmp_path / "key"
    keys = [bytes([number]) * 32 for number in (1, 2)]
    file.write_text("# new, then old\n" + "\n".join(base64.b64encode(key).decode() for key in keys))
    assert read_master_keys(file) == tuple(keys)


@pytest.mark.parametrize(
    "url", ["http://parvis.example.org", "https://a@b.example/", "parvis", "https://x/p"]
)
def test_a_public_address_without_tls_or_with_more_than_a_host_is_refused(environ, url):
    (fault,) = faults(environ | {"PARVIS_PUBLIC_URL": url})
    assert fault.startswith("PARVIS_PUBLIC_URL")


def test_plain_http_is_allowed_on_this_machine_only(environ):
    settings = Settings.read(environ | {"PARVIS_PUBLIC_URL": "http://127.0.0.1:8930"})
    assert settings.public_url == "http://127.0.0.1:8930"


def test_fault_points_are_refused_in_production(environ):
    environ["PARVIS_TEST_FAULT"] = "worker.after_call"
    assert any("hors des tests" in fault for fault in faults(environ))
    assert Settings.read(environ | {"PARVIS_MODE": "demo"}).test_fault == "worker.after_call"
    environ["PARVIS_TEST_FAULT"] = "nowhere"
    assert any(
        "intake.after_commit" in fault for fault in faults(environ | {"PARVIS_MODE": "demo"})
    )


def test_secrets_do_not_show_when_settings_are_printed(environ):
    shown = repr(Settings.read(environ))
    assert "ssss" not in shown
    assert "postgresql" not in shown


def test_without_a_broker_the_worker_reads_the_outbox_itself(environ):
    assert Settings.read(environ).broker_url is None


@pytest.mark.parametrize(
    "url",
    ["amqp://u:s@bus.example.org/city", "amqps://bus1.example.org;amqps://bus2.example.org:5673"],
)
def test_the_brokers_address_is_taken_and_never_shown(environ, url, tmp_path):
    assert Settings.read(environ | {"PARVIS_BROKER_URL": url}).broker_url == url
    file = tmp_path / "broker"
    file.write_text(f"{url}\n")
    settings = Settings.read(environ | {"PARVIS_BROKER_URL_FILE": str(file)})
    assert settings.broker_url == url
    assert not any(part in repr(settings) for part in ("amqp", "bus.", "bus1.", "u:s"))


@pytest.mark.parametrize(
    "url", ["http://bus", "amqp://:5672/city", "amqp://a;http://b", "bus:5672", "amqp://a:0x"]
)
def test_another_address_of_a_broker_is_a_fault_that_repeats_nothing(environ, url):
    (fault,) = faults(environ | {"PARVIS_BROKER_URL": url})
    assert fault.startswith("PARVIS_BROKER_URL doit")
    assert url not in fault


@pytest.mark.parametrize(("mode", "seconds"), [("production", 5), ("demo", 0)])
def test_a_web_server_that_stops_serves_on_unless_it_stands_alone(environ, mode, seconds):
    assert Settings.read(environ | {"PARVIS_MODE": mode}).drain_seconds == seconds
    assert Settings.read(environ | {"PARVIS_DRAIN_SECONDS": "0"}).drain_seconds == 0


@pytest.mark.parametrize("value", ["-1", "21", "soon"])
def test_a_drain_as_long_as_the_grace_of_a_stop_is_a_fault(environ, value):
    (fault,) = faults(environ | {"PARVIS_DRAIN_SECONDS": value})
    assert fault == "PARVIS_DRAIN_SECONDS doit être un nombre entier de 0 à 20."


def test_greenlets_that_a_broker_would_leave_idle_are_refused(environ):
    broker = {"PARVIS_BROKER_URL": "amqp://parvis:pw@127.0.0.1:5672/parvis"}
    assert Settings.read(environ | broker | {"PARVIS_GREENLETS": "400"}).greenlets == 400
    (fault,) = faults(environ | broker | {"PARVIS_GREENLETS": "401"})
    assert "au plus 400 parcours" in fault
    assert "pw" not in fault
    assert Settings.read(environ | {"PARVIS_GREENLETS": "401"}).greenlets == 401


def test_the_bound_of_greenlets_is_what_the_broker_hands_out():
    assert prefetch_for(MOST_GREENLETS_ON_A_BROKER) == MOST_GREENLETS_ON_A_BROKER
    assert prefetch_for(2 * MOST_GREENLETS_ON_A_BROKER) == MOST_GREENLETS_ON_A_BROKER


def test_a_worker_told_too_many_greenlets_does_not_start(environ, monkeypatch, capfd):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PARVIS_BROKER_URL", "amqp://parvis:pw@127.0.0.1:5672/parvis")
    assert main(["worker", "--greenlets", "401"]) == 78
    assert "au plus 400 parcours" in capfd.readouterr().err
