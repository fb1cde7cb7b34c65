from datetime import timedelta
from typing import get_args

import pytest

from orchestrator import journeys
from orchestrator.engine.journey import (
    PIVOT,
    AskPerson,
    Call,
    Decision,
    Done,
    End,
    ForEach,
    Journey,
    Local,
    Pause,
    StartJourney,
    Step,
    Wait,
)
from orchestrator.services.journey_views import KINDS, JourneyViews, view_of
from orchestrator.services.ports.versions import UnderWay
from schemas.errors import JourneyUnknownError


def by_subject(source, subject):
    return f"{source} {subject}"


def journey(*steps, name="test.journey", version=1, **more):
    return Journey(
        name=name, version=version, starts_on=("t.v1",), key=by_subject, steps=steps, **more
    )


def nothing(_context):
    return Done()


LAST = Local("last", nothing)


def views(*known, under_way=()):
    return JourneyViews(
        journeys={(it.name, it.version): it for it in known}, under_way=lambda: list(under_way)
    )


def test_every_kind_of_step_has_its_french_word():
    assert set(KINDS) == set(get_args(Step))


def test_every_journey_of_this_code_can_be_shown():
    for known in journeys.all_journeys().values():
        assert [step.name for step in view_of(known).steps] == [step.name for step in known.steps]


def test_versions_are_listed_newest_first_with_the_runs_on_each():
    counted = [
        UnderWay(journey="test.journey", version=1, status="waiting_signal", total=3),
        UnderWay(journey="test.journey", version=1, status="stuck", total=1),
    ]

    other = journey(LAST, Local("more", nothing), version=2)

    newest, oldest = views(journey(LAST), other, under_way=counted).versions()

    assert (newest.version, newest.is_newest, newest.total) == (2, True, 0)
    assert (oldest.version, oldest.is_newest, oldest.total) == (1, False, 4)
    assert oldest.under_way == {"stuck": 1, "waiting_signal": 3}
    assert oldest.digest != newest.digest


def test_a_version_that_runs_name_and_this_code_has_not_is_listed_without_a_digest():
    counted = [UnderWay(journey="test.journey", version=7, status="ready", total=1)]

    unknown, known = views(journey(LAST), under_way=counted).versions()

    assert (unknown.version, unknown.digest, unknown.total) == (7, None, 1)
    assert known.is_newest


def test_the_newest_version_is_shown_when_none_is_named():
    found = views(journey(LAST), journey(LAST, version=2))

    assert found.show("test.journey", None).version == 2
    assert found.show("test.journey", 1).version == 1


@pytest.mark.parametrize(
    ("name", "version", "said"), [("nope", None, "test.journey"), ("test.journey", 9, "1, 2")]
)
def test_what_does_not_exist_is_refused_with_what_does(name, version, said):
    found = views(journey(LAST), journey(LAST, version=2))

    with pytest.raises(JourneyUnknownError, match=said):
        found.show(name, version)


def test_a_step_tells_where_it_may_lead_and_how_it_is_taken_back():
    shown = view_of(
        journey(
            Call("library", "book", purpose="booking", undo="cancel"),
            Call("library", "print_card", purpose="booking", undo=PIVOT),
            Wait("go", timeout=timedelta(days=2), otherwise=End("expired")),
            AskPerson(
                name="ask",
                question="ask.welcome",
                decisions=(Decision("yes"), Decision("no", End("refused"))),
                timeout=timedelta(hours=1),
            ),
            Pause("later", timedelta(minutes=90)),
            ForEach("cards", items=nothing, journey="test.card", all_or_nothing=True),
            StartJourney("other", journey="test.other"),
            on_failure="undo",
        )
    )
    book, card, wait, ask, pause, cards, other = shown.steps

    assert (book.undo, book.is_pivot) == ("cancel", False)
    assert (card.undo, card.is_pivot) == (None, True)
    assert wait.ends == [("sans réponse à temps", "expired")]
    assert "attend 2 jours au plus" in wait.facts
    assert ask.ends == [("« no »", "refused")]
    assert "réponses : yes, no" in ask.facts
    assert "dure 90 minutes" in pause.facts
    assert cards.starts == "test.card"
    assert "tous ou aucun" in cards.facts
    assert other.starts == "test.other"
    assert shown.undoes_at_once
