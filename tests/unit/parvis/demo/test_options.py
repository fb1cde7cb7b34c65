from pathlib import Path

import pytest

from parvis.demo.__main__ import read_options
from parvis.demo.options import DemoOptions


def test_without_options_it_stays_up_in_the_default_folder():
    assert read_options([]) == DemoOptions(folder=Path(".parvis-demo"))


def test_every_option_is_read():
    read = read_options(["--once", "--json", "--data", "d", "--fresh", "--port", "8080"])

    assert read == DemoOptions(
        folder=Path("d"), port=8080, is_once=True, is_json=True, is_fresh=True
    )


def test_a_real_keycloak_begins_anew_in_a_folder_of_its_own():
    read = read_options(["--identity", "keycloak"])

    assert read == DemoOptions(
        folder=Path(".parvis-demo-keycloak"), is_fresh=True, is_real_keycloak=True
    )
    assert read_options(["--identity", "keycloak", "--data", "d"]).folder == Path("d")


@pytest.mark.parametrize(
    "mistyped",
    [
        ["--onse"],
        ["--identity", "other"],
        ["--port", "many"],
        ["--port", "0"],
        ["--port", "70000"],
        ["x"],
        ["--on"],
    ],
)
def test_a_mistyped_option_is_answered_in_french(mistyped, capsys):
    with pytest.raises(SystemExit) as ended:
        read_options(mistyped)

    assert ended.value.code == 2
    assert "Option mal écrite" in capsys.readouterr().err
