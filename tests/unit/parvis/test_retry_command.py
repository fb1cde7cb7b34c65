import json

import pytest

from parvis.cli import main


@pytest.fixture
def simulate(capfd):
    def call(*arguments):
        code = main(["retry", "simulate", *arguments])
        printed = capfd.readouterr()
        return code, printed.out, printed.err

    return call


def test_an_outage_is_told_in_french_without_any_server(simulate, monkeypatch):
    monkeypatch.delenv("PARVIS_DATABASE_URL", raising=False)
    code, out, _ = simulate(
        "5min x2; then dead-letter", "--down-at", "2026-11-22 22:00", "--back-at", "22:07"
    )
    assert code == 0
    assert "toutes les 5 minutes, 2 fois ; puis mise au rebut" in out
    assert "Tentatives au total : 3 (1 + 2), sur 10 min." in out
    assert "n° 2   22:05:00  échec" in out
    assert "n° 3   22:10:00  réussite" in out
    assert "sondes : 22:00:05, 22:00:15" in out
    assert "reprise : 22:07:07, 7 s après le rétablissement" in out


def test_an_outage_without_end_ends_where_the_policy_says(simulate):
    _, out, _ = simulate("12h x2; then wait-for-a-person", "--down-at", "2026-11-22 22:00")
    assert "n° 3   22:00:00 (J+1)  échec" in out
    assert "fin : décision d'une personne" in out
    assert "sans intervention" in out


def test_our_own_policy_is_simulated_when_none_is_given(simulate):
    code, out, _ = simulate("--down-at", "22:00")
    assert (code, "Tentatives au total : 31 (1 + 30)" in out) == (0, True)


def test_the_hours_of_the_night_of_the_clock_change_are_not_counted_twice(simulate):
    _, out, _ = simulate("1h x3; then dead-letter", "--down-at", "2026-10-25 01:30", "--json")
    tries = json.loads(out)["alone"]["tries"]
    assert [each["at"][11:16] for each in tries] == ["23:30", "00:30", "01:30", "02:30"]


def test_quiet_hours_put_tries_off(simulate):
    _, out, _ = simulate(
        *("1h x1; then dead-letter", "--down-at", "2026-11-20 21:30"),
        *("--quiet", "Mon-Sat 08:00-22:00"),
    )
    assert "08:00:00 (J+1)  échec (remise à l'heure permise)" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["0s x3; then dead-letter", "--down-at", "22:00"], "Politique de reprise"),
        (["1s x3", "--down-at", "22:00"], "Politique de reprise"),
        (["1d x31; then dead-letter", "--down-at", "22:00"], "30 jours"),
        (["1s x3; then dead-letter", "--down-at", "25:00"], "--down-at"),
        (["1s x3; then dead-letter", "--down-at", "demain"], "--down-at"),
        (["1s x3; then dead-letter", "--down-at", "22:00Z"], "--down-at"),
        (["1s x3; then dead-letter", "--down-at", "0001-01-01 00:00"], "--down-at"),
        (
            ["--down-at", "2026-11-22 22:00", "--back-at", "2026-11-22 21:00"],
            "après le début de la panne",
        ),
        (["--down-at", "22:00", "--quiet", "la nuit"], "Plage"),
    ],
)
def test_what_cannot_be_simulated_is_refused_in_words(simulate, arguments, said):
    code, out, err = simulate(*arguments)
    assert (code, out) == (78, "")
    assert said in err


def test_the_beginning_of_the_outage_is_asked_for(simulate):
    code, _, err = simulate("1s x3; then dead-letter")
    assert code == 2
    assert "--down-at" in err
