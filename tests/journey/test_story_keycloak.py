"""The same story on a real Keycloak: everything brought up, played once, ended without a trace."""

import json

import pytest

from tests.journey.driver import Demo, descendants, is_alive, until
from tests.plugins.requirements import require
from tools import keycloak_server

pytestmark = [
    pytest.mark.journey,
    pytest.mark.postgres,
    pytest.mark.keycloak,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]


@pytest.fixture(autouse=True)
def _server():
    if keycloak_server.home() is None:
        require("Keycloak", "les essais de connexion", "make keycloak")
    if keycloak_server.java() is None:
        require("Java", "les essais de connexion", "apt-get install openjdk-17-jre-headless")


def test_the_story_is_told_with_a_real_keycloak_and_nothing_is_left(place):
    demo = Demo(place / "demo", "--json", "--identity", "keycloak").start()
    try:
        table = demo.wait_until_told(400)
        assert table["ok"], demo.output
        assert "ferme Mon espace et la session du service de connexion" in demo.output
        where = demo.state["sign_in"]
        assert where["staff_password"] in demo.output
        assert "franceconnect" in demo.state["mocks"]
        assert demo.browser().get("/connexion").status == 200
        family = descendants(demo.process.pid)
    finally:
        code = demo.stop()
    assert code == 0, demo.output
    until(lambda: not any(map(is_alive, family)), "a process outlived the demonstration", 20)


def test_stopping_while_keycloak_starts_leaves_no_process(place):
    demo = Demo(place / "demo", "--identity", "keycloak").start()
    server = place / "demo" / "keycloak" / "console.log"
    until(server.exists, "Keycloak was not begun", 60, alive=demo.process)
    family = descendants(demo.process.pid)

    assert demo.stop() == 0
    until(lambda: not any(map(is_alive, family)), "a process outlived the demonstration", 30)
    assert not (place / "demo" / "demo.json").exists()


def test_the_folder_of_a_real_keycloak_begins_anew(place):
    first = Demo(place / "demo", "--once", "--json", "--identity", "keycloak").start()
    assert first.process.wait(400) == 0, first.output
    first.out.unlink()
    again = Demo(place / "demo", "--once", "--json", "--identity", "keycloak").start()

    assert again.process.wait(400) == 0, again.output
    assert json.loads(again.output.splitlines()[-1])["ok"]
