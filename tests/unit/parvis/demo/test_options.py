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


@pytest.mark.parametrize(
    "mistyped",
    [["--onse"], ["--port", "many"], ["--port", "0"], ["--port", "70000"], ["x"], ["--on"]],
)
def test_a_mistyped_option_is_answered_in_french(mistyped, capsys):
    with pytest.raises(SystemExit) as ended:
        read_options(mistyped)

    assert ended.value.code == 2
    assert "Option mal écrite" in capsys.readouterr().err
