import pytest

from tools import machine

NOTHING = machine.Need(
    title="Rien", package="rien", variable="PARVIS_TEST_RIEN", programs=("a-program-nobody-has",)
)


def test_a_need_is_met_by_a_program_or_by_a_variable(monkeypatch):
    found = machine.Need(title="sh", package="dash", variable="PARVIS_TEST_SH", programs=("sh",))
    monkeypatch.delenv("PARVIS_TEST_RIEN", raising=False)

    assert found.is_met()
    assert not NOTHING.is_met()
    monkeypatch.setenv("PARVIS_TEST_RIEN", "/opt/rien")
    assert NOTHING.is_met()


def test_an_ordinary_user_is_told_and_goes_on(monkeypatch, capsys):
    monkeypatch.setattr(machine.os, "geteuid", lambda: 1000)

    assert machine.main((NOTHING,)) == 0
    told = capsys.readouterr().out
    assert "Rien" in told
    assert "apt-get install --no-install-recommends rien" in told


def test_who_measures_is_told_what_goes_without(monkeypatch, capsys):
    monkeypatch.setattr(machine.os, "geteuid", lambda: 1000)

    assert machine.main((NOTHING,), "bench") == 0
    assert "Camel est laissé de côté" in capsys.readouterr().out


def test_root_installs_the_packages_that_are_missing_and_no_other(monkeypatch):
    asked = []
    monkeypatch.setattr(machine.os, "geteuid", lambda: 0)
    monkeypatch.setattr(machine.shutil, "which", lambda name: "/bin/sh" if name != "mvn" else None)
    monkeypatch.setattr(machine, "_install", lambda packages: asked.extend(packages) or 0)

    assert machine.main(machine.BENCH_NEEDS, "bench") == 0
    assert asked == ["maven"]


def test_a_whole_machine_is_left_alone(capsys):

    assert machine.main(()) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("need", machine.NEEDS, ids=lambda need: need.package)
def test_every_need_names_its_variable_for_tests(need):
    assert need.variable.startswith("PARVIS_TEST_")
    assert need.programs
