import socket
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from orchestrator.services.ports.figures import Figures
from parvis.metrics import Meter, TableCollector, serve
from schemas import clock
from schemas.errors import StoreUnavailableError

FIGURES = Figures(
    outbox_pending=3,
    outbox_oldest_seconds=1.5,
    runs={("library.arrival", "waiting_signal"): 4},
    dead_letters={"/partners/volt": 1},
    stuck={"rejected": 2},
    circuits={"koha_aix": "open", "drop": "closed"},
    revision=7,
)


def shown(registry):
    return generate_latest(registry).decode()


def test_what_is_counted_is_shown_under_its_published_name():
    meter = Meter()
    meter.received("volt", "lease.signed.v1", "accepted")
    meter.attempted("koha_aix", "retried")
    meter.notified("sms", "accepted")
    meter.consented("access_code.delivery", "given")
    meter.ended("library.arrival", "done", seconds=0.2)
    text = shown(meter.registry)
    for line in (
        'parvis_events_received_total{partner="volt",result="accepted",type="lease.signed.v1"} 1.0',
        'parvis_step_attempts_total{outcome="retried",profile="koha_aix"} 1.0',
        'parvis_notifications_total{channel="sms",status="accepted"} 1.0',
        'parvis_consent_events_total{event="given",purpose="access_code.delivery"} 1.0',
        'parvis_run_duration_seconds_bucket{journey="library.arrival",le="0.2",outcome="done"} 1.0',
    ):
        assert line in text


def test_the_journals_last_checkpoint_ages_where_there_is_one():
    for age, line in ((7.0, "parvis_journal_checkpoint_age_seconds 7.0"), (None, None)):
        registry = CollectorRegistry()
        registry.register(TableCollector(lambda: FIGURES, checkpoint_age=lambda age=age: age))
        assert ("checkpoint_age_seconds" in shown(registry)) is (line is not None)
        assert line is None or line in shown(registry)


def test_the_tables_are_asked_when_somebody_looks():
    registry = CollectorRegistry()
    asked = []
    registry.register(TableCollector(lambda: asked.append(1) or FIGURES))
    assert asked == []
    text = shown(registry)
    assert asked == [1]
    for line in (
        "parvis_outbox_pending 3.0",
        'parvis_circuit_state{profile="koha_aix",state="open"} 1.0',
        'parvis_connector_up{profile="koha_aix"} 0.0',
        'parvis_connector_up{profile="drop"} 1.0',
        'parvis_runs_stuck{reason="rejected"} 2.0',
        "parvis_build_info{version=",
    ):
        assert line in text


def test_figures_that_take_long_are_read_rarely(monkeypatch):
    now, asked = [100.0], []

    def read():
        asked.append(now[0])
        now[0] += 1.5
        return FIGURES

    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    registry = CollectorRegistry()
    registry.register(TableCollector(read))
    for later in (0, 10, 18, 2):
        now[0] += later
        assert "parvis_outbox_pending 3.0" in shown(registry)

    assert asked == [100.0, 131.5]


def test_a_database_that_went_away_is_told_within_a_minute_however_slow_it_was(monkeypatch):
    now, answers = [0.0], [FIGURES]

    def read():
        now[0] += 10
        if not answers:
            raise StoreUnavailableError
        return answers.pop()

    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    registry = CollectorRegistry()
    registry.register(TableCollector(read))
    assert "parvis_database_up 1.0" in shown(registry)
    now[0] = 61.0

    assert "parvis_database_up 0.0" in shown(registry)


def test_a_database_away_is_a_figure_not_a_failure():
    def away():
        raise StoreUnavailableError

    registry = CollectorRegistry()
    registry.register(TableCollector(away))
    assert "parvis_database_up 0.0" in shown(registry)


@pytest.mark.enable_socket
def test_figures_are_served_on_their_own_port(unused_port):
    registry = CollectorRegistry()
    registry.register(TableCollector(lambda: FIGURES))
    server, thread = serve(registry, port=unused_port)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{unused_port}/metrics") as answer:
            assert b"parvis_config_revision 7.0" in answer.read()
        assert server.server_address[0] == "127.0.0.1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def unused_port(socket_enabled):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
