import stat

import pytest

from parvis.demo.environment import environment_of, write_environment
from parvis.demo.folder import DemoFolder
from parvis.settings import Mode, Settings

URL = "postgresql://parvis:secret@127.0.0.1:5000/postgres"


@pytest.fixture
def folder(tmp_path):
    made = DemoFolder(tmp_path / "demo")
    made.take()
    made.keep_keys()
    write_environment(made, database_url=URL, port=8123, identity_url="http://127.0.0.1:8180")
    return made


def test_the_processes_read_settings_that_are_whole(folder):
    settings = Settings.read(environment_of(folder, {"PARVIS_METRICS_PORT": "9999"}))

    assert settings.mode is Mode.DEMO
    assert settings.database_url == URL
    assert settings.public_url == "http://127.0.0.1:8123"
    assert settings.bind == "127.0.0.1:8123"
    assert settings.metrics_port == 9999
    assert settings.remarks == ()


def test_nothing_set_for_another_hub_leaks_in(folder, monkeypatch):
    monkeypatch.setenv("PARVIS_DATABASE_URL_FILE", "/etc/parvis/database")
    monkeypatch.setenv("PARVIS_MODE", "production")
    monkeypatch.setenv("PARVIS_TEST_WORD", "kept")

    told = environment_of(folder, {})

    assert "PARVIS_DATABASE_URL_FILE" not in told
    assert told["PARVIS_MODE"] == "demo"
    assert told["PARVIS_TEST_WORD"] == "kept"


def test_the_file_is_read_again_at_each_start_and_private(folder):
    with folder.environment.open("a") as file:
        file.write("PARVIS_GREENLETS=8\n")

    assert environment_of(folder, {})["PARVIS_GREENLETS"] == "8"
    assert stat.S_IMODE(folder.environment.stat().st_mode) == 0o600
