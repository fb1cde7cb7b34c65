"""Errors of the console are pages in its own words, with the headers of the answer."""

from types import SimpleNamespace

import pytest
from flask import Flask
from werkzeug.exceptions import MethodNotAllowed, NotFound

from schemas.errors import StoreUnavailableError
from schemas.logins import Face
from web.console import ConsoleServices, create_blueprint
from web.layout import LayoutSettings, install


class Broken:
    """A way in whose store fails as it is told."""

    def __init__(self, error):
        self.error = error
        self.links = SimpleNamespace()
        self.sign_in = SimpleNamespace(face=Face.CONSOLE, is_open=False)

    def staff(self, _cookie):
        raise self.error


@pytest.fixture
def answer():
    def call(error):
        app = Flask("console-test", static_folder=None)
        settings = LayoutSettings(secret_keys=(b"k" * 32,), public_url="http://127.0.0.1:8000")
        install(app, settings)
        other = SimpleNamespace()
        services = ConsoleServices(
            entry=Broken(error), runs=other, connectors=other, city=lambda: "Ville"
        )
        app.register_blueprint(create_blueprint(services))
        return app.test_client().get("/console/")

    return call


@pytest.mark.parametrize(
    ("error", "status", "said", "header"),
    [
        (NotFound(), 404, "rien à cette adresse", None),
        (MethodNotAllowed(["GET"]), 405, "pas été comprise", ("Allow", "GET")),
        (StoreUnavailableError(), 503, "Vérifiez PostgreSQL", ("Retry-After", "5")),
        (KeyError("Camille"), 500, "journal technique", None),
    ],
)
def test_an_error_is_a_page_of_the_console(answer, error, status, said, header):
    page = answer(error)
    assert page.status_code == status
    assert said in page.text
    assert "Camille" not in page.text
    assert header is None or page.headers[header[0]] == header[1]
