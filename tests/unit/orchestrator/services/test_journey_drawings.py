import itertools
import re
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest

from orchestrator import journeys
from orchestrator.engine.journey import Call, Done, End, Journey, Local, StartJourney, Wait
from orchestrator.services import journey_drawings as drawings
from orchestrator.services.journey_views import view_of

SVG = "{http://www.w3.org/2000/svg}"
KNOWN = [view_of(known) for known in journeys.all_journeys().values()]


def by_subject(source, subject):
    return f"{source} {subject}"


def nothing(_context):
    return Done()


HOSTILE = view_of(
    Journey(
        name='a"]; click <b>&amp;#x',
        version=3,
        starts_on=(),
        key=by_subject,
        steps=(
            Local("end", nothing),
            Call("a", "book_a_place_with_an_operation_of_a_very_long_name", purpose="p", undo="u"),
            Wait("x", timeout=timedelta(days=1), otherwise=End('<script>"')),
            StartJourney("other", journey="test.other"),
        ),
    )
)


def seen(view):
    return ET.fromstring(drawings.svg(view))  # noqa: S314 - our own drawing


@pytest.mark.parametrize("view", [*KNOWN, HOSTILE], ids=lambda view: view.name)
def test_the_picture_is_named_described_and_shows_every_step(view):
    root = seen(view)
    words = " ".join(root.itertext())

    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "title desc"
    assert view.name in root.find(f"{SVG}title").text
    assert all(step.name in root.find(f"{SVG}desc").text for step in view.steps)
    assert all(step.name in "".join(words.split()) or step.name in words for step in view.steps)


@pytest.mark.parametrize("view", [*KNOWN, HOSTILE], ids=lambda view: view.name)
def test_no_box_covers_another_and_all_lie_in_the_picture(view):
    drawn = drawings.picture(view)

    for one, other in itertools.combinations(drawn.boxes, 2):
        apart = one.left + one.width <= other.left or other.left + other.width <= one.left
        assert apart or one.bottom <= other.top or other.bottom <= one.top
    assert max(box.bottom for box in drawn.boxes) < drawn.height
    assert max(box.left + box.width for box in drawn.boxes) < drawn.width


@pytest.mark.parametrize("view", [*KNOWN, HOSTILE], ids=lambda view: view.name)
def test_every_line_fits_its_box(view):
    """The widest letters of a plain face at 13 px take about 8 px on average."""
    for box in drawings.picture(view).boxes:
        assert all(7.2 * len(line) <= box.width for line in box.lines)


@pytest.mark.parametrize(
    "fill", [drawings.STEP, drawings.CHOICE, drawings.END, drawings.BACK, drawings.PAPER]
)
def test_words_and_lines_are_readable_on_every_ground(fill):
    assert contrast(drawings.INK, fill) >= 7
    assert contrast(drawings.STROKE, fill) >= 3


def test_the_picture_carries_nothing_from_elsewhere():
    drawn = drawings.svg(HOSTILE)

    assert "<script" not in drawn
    assert not re.search(r"(href|src|style)=", drawn)


def test_the_text_draws_every_step_in_order_with_ends_and_undos():
    lines = drawings.mermaid(view_of(journeys.journey_for("library.arrival", 1))).splitlines()

    assert lines[0] == "flowchart TD"
    assert "  s5 --> s6" in lines
    assert '  s5u["cancel_preregistration"]' in lines
    assert '  s5 -. "annulation" .-> s5u' in lines
    assert '  s6e1(["fin : expired"])' in lines


def test_no_letter_of_a_name_is_read_as_a_mark_of_the_text():
    for line in drawings.mermaid(HOSTILE).splitlines():
        for label in re.findall(r'"([^"]*)"', line):
            assert not set("<>&") & set(label.replace("<br/>", ""))
        assert line.count('"') in {0, 2}
    assert 's4[["4. other' in drawings.mermaid(HOSTILE)


def contrast(one, other):
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color):
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
