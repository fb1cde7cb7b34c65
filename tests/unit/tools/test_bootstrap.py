import pytest

from tools import bootstrap


@pytest.fixture
def python(tmp_path):
    """Stands for an environment's interpreter whose pip answers with these settings."""

    def knowing(*lines):
        program = tmp_path / "python"
        (tmp_path / "settings").write_text("".join(f"{line}\n" for line in lines))
        program.write_text(f"#!/bin/sh\ncat {tmp_path / 'settings'}\n")
        program.chmod(0o755)
        return program

    return knowing


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch):
    for name in bootstrap.UV_NAMES.values():
        monkeypatch.delenv(name, raising=False)


def test_what_pip_knows_of_the_machine_is_handed_to_uv(python):
    settings = bootstrap._uv_settings(
        python(
            "global.index-url='https://mirror.example.org/simple'",
            "global.extra-index-url='\\nhttps://a.example.org/\\nhttps://b.example.org/'",
            "global.find-links='/srv/wheels /srv/more'",
            "global.cert='/etc/ssl/town.pem'",
        )
    )

    assert settings == {
        "UV_DEFAULT_INDEX": "https://mirror.example.org/simple",
        "UV_INDEX": "https://a.example.org/ https://b.example.org/",
        "UV_FIND_LINKS": "/srv/wheels,/srv/more",
        "SSL_CERT_FILE": "/etc/ssl/town.pem",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_the_environment_wins_over_the_command_and_the_command_over_the_machine(python):
    settings = bootstrap._uv_settings(
        python(
            ":env:.index-url='https://third.example.org/'",
            "global.index-url='https://first.example.org/'",
            "global.cert='first'",
            "install.cert='second'",
        )
    )

    assert settings["UV_DEFAULT_INDEX"] == "https://third.example.org/"
    assert settings["SSL_CERT_FILE"] == "second"


def test_settings_of_other_commands_of_pip_are_not_ours(python):
    settings = bootstrap._uv_settings(python("download.index-url='https://x.example.org/'"))

    assert "UV_DEFAULT_INDEX" not in settings


def test_what_is_already_said_to_uv_is_left_alone(python, monkeypatch):
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://said.example.org/")

    settings = bootstrap._uv_settings(python("global.index-url='https://other.example.org/'"))

    assert "UV_DEFAULT_INDEX" not in settings


def test_an_environment_that_was_moved_does_not_count_as_whole(tmp_path):
    scripts = tmp_path / "moved" / "bin"
    scripts.mkdir(parents=True)
    (scripts / "pip").write_text("#!/somewhere/else/bin/python\n")

    assert not bootstrap._works(tmp_path / "moved")
    assert not bootstrap._works(tmp_path / "absent")


def test_an_older_python_is_refused_with_what_to_do(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 10, 12))

    status = bootstrap.main(tmp_path / "venv", tmp_path / "main.txt")

    assert status == 1
    assert "Python 3.11" in capsys.readouterr().err
