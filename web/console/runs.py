"""The list of runs, narrowed by the address, and the page of one run."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from orchestrator.services.ports.views import OWN_PAGES
from orchestrator.services.run_views import RunsPage, RunViews, sender_of
from web.console import words
from web.console.filters import ADDRESS, SPANS, STATES, Asked, Chip, start_of, written


def add_pages(blueprint: Blueprint, views: RunViews) -> None:
    """Add the list and the page of one run."""

    @blueprint.get("/executions")
    def runs() -> ResponseReturnValue:
        asked = Asked.read(request.args)
        start, way = start_of(request.args)
        page = views.page(asked.run_filter(), start=start, way=way)
        partners = views.partners()
        chips = [_chip(asked, name, partners) for name in asked.active()]
        return render_template(
            "console/runs.html",
            asked=asked,
            page=page,
            turns=_turns(asked, page),
            chips=chips,
            to_drop=_to_drop(views, asked, page, chips),
            choices=_choices(views, partners),
            partners=partners,
            words=words,
        )

    @blueprint.get("/executions/<uuid:run_id>")
    def run(run_id: UUID) -> ResponseReturnValue:
        view = views.run(
            run_id,
            steps_before=request.args.get("etapes-avant", type=_row_number),
            exchanges_before=request.args.get("livraisons-avant", type=UUID),
        )
        if view is None:
            abort(404)
        return render_template("console/run.html", run=view, partners=views.partners(), words=words)

    blueprint.add_app_template_filter(sender_of, "sender_of")


def _row_number(text: str) -> int:
    number = int(text)
    if not 0 < number < 2**31:
        raise ValueError(text)
    return number


def _turns(asked: Asked, page: RunsPage) -> Mapping[str, Mapping[str, str] | None]:
    """Return the addresses of the next pages, by the way they lead."""
    older = page.older or page.stopped_at
    return {
        "newer": {**asked.arguments(), "apres": written(page.newer)} if page.newer else None,
        "older": {**asked.arguments(), "avant": written(older)} if older else None,
    }


def _chip(asked: Asked, name: str, partners: Mapping[str, str]) -> Chip:
    value = getattr(asked, name)
    shown: Any = value
    if name == "state":
        shown = STATES[value].label
    elif name == "journey":
        shown = words.journey(value)
    elif name == "partner":
        shown = words.sender(value, partners)
    elif name == "span":
        shown = SPANS[value][1]
    return Chip(
        name=name,
        title=words.FILTERS[name],
        value=shown,
        without=asked.dropping(name).arguments(),
    )


def _to_drop(
    views: RunViews, asked: Asked, page: RunsPage, chips: Sequence[Chip]
) -> Sequence[Chip]:
    """Return the filters whose dropping would show something, when nothing is shown."""
    if page.lines or page.newer or page.stopped_at:
        return []
    return [chip for chip in chips if views.has_any(asked.dropping(chip.name).run_filter())]


def _choices(
    views: RunViews, partners: Mapping[str, str]
) -> Sequence[tuple[str, str, Any, Sequence[tuple[str, Any]]]]:
    """Return the fields of the form: filter, name in the address, label, (value, text) pairs."""
    every = ("", _("tous"))
    own = (OWN_PAGES, words.sender(OWN_PAGES, partners))
    values: Mapping[str, Sequence[tuple[str, Any]]] = {
        "state": [every, *((name, state.label) for name, state in STATES.items())],
        "journey": [every, *((name, words.journey(name)) for name in views.journey_names)],
        "partner": [every, own, *partners.items()],
        "span": [(name, label) for name, (_span, label) in SPANS.items()],
    }
    return [(name, ADDRESS[name], words.FILTERS[name], pairs) for name, pairs in values.items()]
