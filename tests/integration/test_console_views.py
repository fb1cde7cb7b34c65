import json
from datetime import timedelta

import pytest

from orchestrator import journeys
from orchestrator.services.connector_views import ConnectorViews, Health
from orchestrator.services.ports.views import OWN_PAGES, RunFilter, Way
from orchestrator.services.run_views import PAGE, RunViews, within
from orchestrator.store import views as rows
from orchestrator.store.connections import Database
from orchestrator.store.views import RunViewRows, SystemViewRows
from schemas import clock, ids
from tests.browser.console_hub import CANARIES, Past, erase, make_app, sign_in

pytestmark = pytest.mark.postgres


@pytest.fixture
def past(database, vault):
    return Past(database, vault)


@pytest.fixture
def views(database, vault):
    return RunViews(
        rows=RunViewRows(database, vault),
        journeys=journeys.journey_for,
        journey_names=["library.arrival"],
    )


@pytest.fixture
def client(database, vault, hub_keys):
    app = make_app(database, vault, hub_keys)
    client = app.test_client()
    sign_in(client, app.extensions["console"].entry.links)
    return client


def add_runs(database, count, *, status="done", journey="library.arrival", hours=0):
    """Bare rows, each a minute older than the one before it."""
    made = []
    for number in range(count):
        run_id, at = ids.uuid7(), clock.utcnow() - timedelta(hours=hours, minutes=number)
        floor = int(at.timestamp() * 1000) << 80
        run_id = type(run_id)(int=floor | (run_id.int & ((1 << 80) - 1)))
        database.run(
            "INSERT INTO run(id, journey, version, key, status, created_at, ended_at)"
            " VALUES (%s, %s, 1, %s, %s, %s, CASE WHEN %s = 'done' THEN parvis_now() END)",
            (run_id, journey, str(run_id), status, at, status),
        )
        made.append(run_id)
    return made


def all_pages(views, asked):
    """Every page from the newest to the oldest, by the links between them."""
    page = views.page(asked)
    pages = [page]
    while page.older:
        page = views.page(asked, start=page.older)
        pages.append(page)
    return pages


NARROWED = {
    "all": RunFilter(),
    "done": RunFilter(statuses=("done",)),
    "one status": RunFilter(statuses=("waiting_signal",)),
    "some statuses": RunFilter(statuses=("waiting_signal", "stuck", "ready")),
    "journey": RunFilter(journey="library.arrival"),
    "both": RunFilter(statuses=("waiting_signal",), journey="library.arrival"),
    "since": RunFilter(since=clock.utcnow() - timedelta(days=3)),
}


@pytest.mark.parametrize("name", NARROWED)
def test_pages_show_every_run_once_from_the_newest_to_the_oldest(database, views, name):
    for status in ("done", "waiting_signal", "stuck"):
        add_runs(database, PAGE, status=status)
    add_runs(database, 3, status="waiting_signal", journey="contact.withdrawal")
    asked = NARROWED[name]
    expected = {
        row["id"]
        for row in database.all("SELECT id, status, journey FROM run")
        if (asked.statuses is None or row["status"] in asked.statuses)
        and asked.journey in {None, row["journey"]}
    }

    lines = [line for page in all_pages(views, asked) for line in page.lines]

    assert [line.id for line in lines] == [
        line.id for line in sorted(lines, key=lambda each: each.created_at, reverse=True)
    ]
    assert len(lines) == len(expected)
    assert {line.id for line in lines} == expected


@pytest.mark.parametrize("name", ["all", "one status", "journey"])
def test_pages_stand_still_while_runs_arrive(database, views, name):
    asked = NARROWED[name]
    add_runs(database, 2 * PAGE + 5, status="waiting_signal", hours=1)
    first = views.page(asked)
    before = [line.id for line in views.page(asked, start=first.older).lines]
    arrived = add_runs(database, 7, status="waiting_signal")

    after = views.page(asked, start=first.older)
    back = views.page(asked, start=after.newer, way=Way.NEWER)

    assert [line.id for line in after.lines] == before
    assert [line.id for line in back.lines] == [line.id for line in first.lines]
    assert back.newer is not None
    top = views.page(asked, start=back.newer, way=Way.NEWER)
    assert [line.id for line in top.lines][:7] == arrived
    assert top.newer is None


def test_runs_of_the_same_moment_are_told_apart(database, views):
    add_runs(database, 2 * PAGE, status="stuck")
    database.run("UPDATE run SET created_at = date_trunc('hour', parvis_now())")
    asked = RunFilter(statuses=("stuck",))

    pages = all_pages(views, asked)

    assert [len(page.lines) for page in pages] == [PAGE, PAGE]
    assert len({line.id for page in pages for line in page.lines}) == 2 * PAGE
    back = views.page(asked, start=pages[1].newer, way=Way.NEWER)
    assert [line.id for line in back.lines] == [line.id for line in pages[0].lines]


def test_a_list_is_narrowed_to_a_span_of_time(database, views):
    recent = add_runs(database, 2, status="stuck")
    add_runs(database, 2, status="stuck", hours=30)
    day = timedelta(hours=24)

    for asked in (
        RunFilter(),
        RunFilter(statuses=("stuck",)),
        RunFilter(journey="library.arrival"),
    ):
        lines = views.page(within(asked, day)).lines
        assert [line.id for line in lines] == recent


def test_a_list_is_narrowed_to_its_sender(past, views):
    past.city()
    theirs = past.arrival(1, source="/partners/agence_exemple/nice")
    ours = past.arrival(2, source="/hub/citizen")
    past.arrival(3, source="/partners/agence_exemple2")
    past.arrival(4)

    def found(partner):
        return [line.id for line in views.page(RunFilter(partner=partner)).lines]

    assert found("agence_exemple") == [theirs]
    assert found(OWN_PAGES) == [ours]
    assert found("personne") == []


def test_the_search_for_a_sender_is_bounded_and_goes_on_from_there(past, views, monkeypatch):
    monkeypatch.setattr(rows, "MOST_LOOKED", 3)
    old = past.arrival(1, source="/partners/agence_exemple")
    for number in range(2, 7):
        past.arrival(number)
    asked = RunFilter(partner="agence_exemple")

    first = views.page(asked)
    second = views.page(asked, start=first.stopped_at)

    assert (list(first.lines), first.older) == ([], None)
    assert first.stopped_at is not None
    assert [line.id for line in second.lines] == [old]


def test_the_runs_that_wait_for_a_system_are_found(past, views):
    past.city()
    failing = past.failing(1)
    past.waiting(2)

    lines = views.page(RunFilter(system="ils_sud")).lines

    assert [line.id for line in lines] == [failing]


def test_a_late_run_is_one_that_should_have_moved(past, views, database):
    past.city()
    on_time, late_timer, late_lease = past.failing(1), past.failing(2), past.arrival(3)
    database.run(
        "UPDATE run SET wake_at = parvis_now() - interval '2 min' WHERE id = %s", (late_timer,)
    )
    database.run(
        "UPDATE run SET lease_until = parvis_now() - interval '2 min' WHERE id = %s", (late_lease,)
    )

    lines = views.page(RunFilter(is_late=True)).lines

    assert {line.id for line in lines} == {late_timer, late_lease}
    assert all(line.is_late for line in lines)
    assert views.counters().late == 2
    assert not next(line for line in views.page(RunFilter()).lines if line.id == on_time).is_late


def test_counters_count_what_their_list_shows(past, views):
    past.day()

    counters = views.counters()

    assert counters.under_way == 3
    assert counters.failing == len(views.page(RunFilter(statuses=("waiting_timer",))).lines) == 1
    assert counters.stuck == len(views.page(RunFilter(statuses=("stuck",))).lines) == 1


def test_no_list_scans_the_table_nor_counts_it_whole(database, past, vault):
    past.city()
    for status, count in (("done", 900), ("waiting_signal", 900), ("stuck", 20)):
        add_runs(database, count, status=status)
    database.run("ANALYZE run")
    position = RunViewRows(database, vault).page(RunFilter(), size=5).lines[-1].position

    for name, asked in NARROWED.items():
        for start in (None, position):
            for way in Way:
                walk, _, values = rows._walk(asked, start, way)
                values["look"] = 51
                plan = str(database.all(f"EXPLAIN {walk}", values))
                assert "Seq Scan on run" not in plan, name
                assert "OFFSET" not in walk.upper()


def test_one_run_is_shown_whole(past, views):
    made = past.day()

    view = views.run(made.finished)

    assert [attempt.row.name for attempt in view.attempts] == [
        *("announce", "library", "issue_code", "notify_library_code", "preregister", "preregister"),
        *("wait_access_code_redeemed", "require_library_preregistration", "activate"),
    ]
    assert view.attempts[4].error_class == "PartnerUnavailableError"
    assert view.attempts[4].detail == "HTTP 503"
    assert view.attempts[6].pause > timedelta(hours=40)
    assert [each.row.operation for each in view.exchanges] == [
        *("send", "preregister", "preregister", "activate"),
    ]
    assert view.exchanges[0].to_answer_ms == 117
    assert view.preregistration.place_name == "Médiathèque du Nord"
    assert view.preregistration.commune == "Marseille"
    assert view.preregistration.is_known_outside
    assert view.message.partner == "volt_exemple"
    assert view.ahead == []


def test_a_waiting_run_says_what_is_still_to_come(past, views):
    made = past.day()

    view = views.run(made.waiting)

    assert view.ahead == [
        *("wait_access_code_redeemed", "require_library_preregistration", "activate")
    ]
    assert view.line.waiting_for == "access_code.redeemed"


def test_a_run_nobody_knows_is_none(views):
    assert views.run(ids.uuid7()) is None


def test_a_long_log_is_read_by_pages(past, views, database, monkeypatch):
    monkeypatch.setattr(rows, "MOST_STEPS", 4)
    monkeypatch.setattr(rows, "MOST_EXCHANGES", 1)
    run_id = past.day().finished

    last = views.run(run_id)
    before = views.run(
        run_id, steps_before=last.earlier_attempts, exchanges_before=last.earlier_exchanges
    )
    first = views.run(run_id, steps_before=before.earlier_attempts)

    assert [attempt.row.seq for attempt in last.attempts] == [6, 7, 8, 9]
    assert [attempt.row.seq for attempt in before.attempts] == [2, 3, 4, 5]
    assert ([attempt.row.seq for attempt in first.attempts], first.earlier_attempts) == ([1], None)
    assert [each.row.operation for each in last.exchanges] == ["activate"]
    assert [each.row.operation for each in before.exchanges] == ["preregister"]


def pages_of(client, made):
    yield "/console/"
    yield "/console/executions"
    yield "/console/executions?depuis=tout&etat=en-echec"
    yield "/console/connecteurs"
    for run_id in vars(made).values():
        yield f"/console/executions/{run_id}"


@pytest.mark.parametrize("language", ["fr", "en"])
def test_no_page_ever_shows_what_is_personal(past, client, database, language):
    made = past.day()
    seen = ""
    for address in pages_of(client, made):
        answer = client.get(f"{address}{'&' if '?' in address else '?'}lang={language}")
        assert answer.status_code == 200
        seen += answer.text

    assert "family_name" in seen
    assert "patron_id" in seen
    kept = json.dumps([str(row) for row in database.all("SELECT subject FROM message")])
    assert "ref-canari-77" in kept  # the canaries are there to be shown
    assert [canary for canary in CANARIES if canary in seen] == []


def test_an_erased_body_is_said_to_be_erased(past, client, database):
    run_id = past.day().finished
    erase(database, run_id)

    text = client.get(f"/console/executions/{run_id}").text

    assert text.count("effacé") >= 3
    assert "family_name" not in text
    assert "Volt Exemple" in text  # the metadata stays


def test_a_body_sealed_under_another_master_key_is_said_to_be_erased(past, client, database):
    run_id = past.day().finished
    database.run("UPDATE data_key SET wrapped = '\\x00'::bytea || wrapped")

    answer = client.get(f"/console/executions/{run_id}")

    assert answer.status_code == 200
    assert "effacé" in answer.text


def test_a_message_that_is_no_longer_kept_leaves_its_run(past, client, database):
    run_id = past.day().waiting
    database.run("DELETE FROM message")

    text = client.get(f"/console/executions/{run_id}").text

    assert "n’est plus conservé" in text


def test_filters_are_chips_that_may_be_dropped(past, client):
    past.day()

    text = client.get("/console/executions?etat=en-rebut&parcours=library.arrival").text

    assert 'href="/console/executions?parcours=library.arrival"' in text
    assert 'href="/console/executions?etat=en-rebut"' in text
    assert text.count('class="chip"') == 3


def test_an_empty_list_says_which_filter_to_drop(past, client):
    past.day()

    text = client.get("/console/executions?etat=en-rebut&source=agence_exemple").text

    assert "Aucune exécution ne correspond" in text
    assert 'class="drop" href="/console/executions?etat=en-rebut"' in text
    assert 'class="drop" href="/console/executions?source=agence_exemple"' not in text


@pytest.mark.parametrize(
    "query",
    [
        "etat=inconnu",
        "depuis=demain",
        "source=%27%3B--",
        "parcours=../etc",
        "systeme=A",
        "avant=1-2",
        "avant=9999999999999999-" + "f" * 32,
        "apres=0-" + "0" * 32,
        "etat=%F0%9F%98%80&etat=%00",
    ],
)
def test_an_address_that_was_bent_is_never_a_fault(past, client, query):
    past.day()

    answer = client.get(f"/console/executions?{query}")

    assert answer.status_code == 200


@pytest.mark.parametrize("query", ["etapes-avant=x", "etapes-avant=-1", "livraisons-avant=x"])
def test_a_bent_page_of_a_run_is_its_last_page(past, client, query):
    run_id = past.day().finished

    answer = client.get(f"/console/executions/{run_id}?{query}")

    assert answer.status_code == 200
    assert "Activer" in answer.text


def test_an_unknown_filter_is_said_to_be_ignored(past, client):
    past.day()

    text = client.get("/console/executions?etat=inconnu").text

    assert "il est ignoré : etat." in text.replace("\u00a0", " ")


def test_systems_that_need_somebody_come_first(past, database):
    past.day()

    found = ConnectorViews(rows=SystemViewRows(database), titles=dict).systems()

    assert [(view.row.profile, view.health) for view in found] == [
        ("ils_sud", Health.PAUSED),
        ("ils_nord", Health.ANSWERS),
        ("sms_ville", Health.ANSWERS),
    ]
    paused = found[0]
    assert paused.row.waiting == 1
    assert paused.row.services == ["Bibliothèque du Sud"]
    assert paused.row.last_success_at is None
    assert paused.row.last.outcome == "not_connected:timeout"


def test_without_a_database_the_console_says_so(vault, hub_keys):
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing")
    client = make_app(nowhere, vault, hub_keys).test_client()
    client.set_cookie("parvis_staff", "a" * 43)

    answer = client.get("/console/executions")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "PostgreSQL" in answer.text
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_a_page_that_breaks_tells_nothing_of_its_cause(client, database):
    database.run("ALTER TABLE run RENAME COLUMN journey TO gone")

    answer = client.get("/console/executions")

    assert answer.status_code == 500
    assert "journal technique" in answer.text
    assert "column" not in answer.text
