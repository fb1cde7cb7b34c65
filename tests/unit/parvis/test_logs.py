import io
import json
import logging
import warnings

import pytest
import structlog

from parvis import logs


@pytest.fixture
def written(own_logging):
    stream = io.StringIO()
    logs.configure("json", stream=stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def fail(error):
    raise error


def test_a_line_says_when_how_grave_and_what(written):
    structlog.get_logger().info("run.ended", run_id="0190", journey="library.arrival", seconds=0.25)
    (line,) = written()
    assert list(line)[:3] == ["ts", "level", "event"]
    assert line["ts"].endswith("Z")
    assert line["level"] == "info"
    assert line["seconds"] == 0.25


def test_what_is_not_on_the_list_never_leaves(written):
    structlog.get_logger().warning(
        "run.failed", phone="+33639980000", body={"name": "Zoé"}, run_id="1"
    )
    (line,) = written()
    assert set(line) == {"ts", "level", "event", "run_id"}


def test_a_value_cannot_forge_a_second_line(written):
    structlog.get_logger().info("refused", reason='a\nb\r{"event":"x"}\u2028\x1b[31m' + "x" * 900)
    (line,) = written()
    assert "\\n" in line["reason"]
    assert "\\u2028" in line["reason"]
    assert "\x1b" not in line["reason"]
    assert len(line["reason"]) < 400


def test_an_exception_is_its_class_and_its_places_never_its_text(written):
    try:
        fail(ValueError("zoe@example.org is not a number"))
    except ValueError:
        structlog.get_logger().exception("step.failed")
    (line,) = written()
    assert line["error"] == "ValueError"
    assert line["trace"].startswith("test_logs.py:")
    assert "example.org" not in json.dumps(line)


def test_a_library_is_heard_without_its_words(written):
    library = logging.getLogger("some.library")
    library.info("starting")
    library.warning("bad address %s", "zoe@example.org")
    library.error("bad address zoe@example.org")
    try:
        fail(OSError("zoe@example.org"))
    except OSError:
        library.exception("again")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # another test's unclosed things may be found just now
        warnings.simplefilter("always", UserWarning)
        warnings.warn("zoe@example.org", stacklevel=1)
    lines = written()
    assert [line["logger"] for line in lines] == ["some.library"] * 3 + ["py.warnings"]
    assert all(line["where"] for line in lines)
    assert lines[2]["error"] == "OSError"
    assert "example.org" not in json.dumps(lines)


def test_people_may_read_it_too(own_logging):
    stream = io.StringIO()
    logs.configure("console", stream=stream)
    structlog.get_logger().info("hub.ready", port=8000, body="no")
    assert "INFO" in stream.getvalue()
    assert "port=8000" in stream.getvalue()
    assert "no" not in stream.getvalue()


def test_members_bound_to_the_context_are_there(written):
    with structlog.contextvars.bound_contextvars(request_id="r1", name="Zoé"):
        structlog.get_logger().info("asked")
    (line,) = written()
    assert line["request_id"] == "r1"
    assert "name" not in line
