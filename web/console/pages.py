"""The first page, which says what there is to do, and the page of the city's systems."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from orchestrator.services.ports.views import CEILING, RunFilter
from web.console import words
from web.console.services import ConsoleServices

_LATEST = 8


def add_pages(blueprint: Blueprint, services: ConsoleServices) -> None:
    """Add both pages."""

    @blueprint.get("/")
    def home() -> ResponseReturnValue:
        latest = services.runs.page(RunFilter())
        return render_template(
            "console/home.html",
            counters=services.runs.counters(),
            ceiling=CEILING,
            systems=services.connectors.systems(),
            lines=latest.lines[:_LATEST],
            partners=services.runs.partners(),
            words=words,
        )

    @blueprint.get("/connecteurs")
    def connectors() -> ResponseReturnValue:
        return render_template(
            "console/connectors.html",
            systems=services.connectors.systems(),
            ceiling=CEILING,
            words=words,
        )
