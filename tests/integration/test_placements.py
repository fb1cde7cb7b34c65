from datetime import UTC, date, datetime, timedelta

import pytest

from orchestrator.services.placements import Placements, Visit, browser_family
from orchestrator.store.placements import PlacementTable
from schemas import clock

pytestmark = pytest.mark.postgres
PHONE = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/141.0 Mobile Safari/537.36"


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def placements(database, hub_keys, pauses):
    for token, status, until, successor in (
        ("AB12CD34", "live", None, None),
        ("0000PAST", "live", datetime(2026, 1, 1, tzinfo=UTC), None),
        ("0000WTHD", "withdrawn", None, None),
        ("0000SVSP", "suspended", None, None),
        ("0000PAN0", "planned", None, None),
        ("0000MVVD", "withdrawn", None, "AB12CD34"),
    ):
        database.run(
            "INSERT INTO placement(token, poster, place_name, commune, campaign, status, valid_until,"
            " successor) VALUES (%s, 'p', 'Bistro du Cours', '83050', 'c', %s, %s, %s)",
            (token, status, until, successor),
        )
    return Placements(rows=PlacementTable(database=database), keys=hub_keys, wait=pauses.append)


@pytest.mark.parametrize("typed", ["AB12CD34", "ab12cd34", "AB12-CD34", " ab l2cd34", "ABI2CD34"])
def test_a_live_token_opens_its_place_in_any_writing(placements, typed, pauses):
    assert placements.look_up(typed).placement.place_name == "Bistro du Cours"
    assert pauses == []


@pytest.mark.parametrize("token", ["0000PAST", "0000WTHD", "0000SVSP", "0000PAN0"])
def test_expired_withdrawn_suspended_and_planned_are_known_and_closed(placements, token, pauses):
    look = placements.look_up(token)
    assert (look.placement, look.is_known) == (None, True)
    assert pauses == [0.05]


@pytest.mark.parametrize("typed", ["ZZZZZZZZ", "", "a" * 500, "UUUUUUUU", "AB12CD3\x00"])
def test_unknown_tokens_take_the_same_pause(placements, typed, pauses):
    look = placements.look_up(typed)
    assert (look.placement, look.is_known) == (None, False)
    assert pauses == [0.05]


def test_a_withdrawn_poster_leads_to_its_successor(placements):
    assert placements.look_up("0000MVVD").placement.status == "live"


def test_suspension_holds_for_the_next_visit(placements, database):
    assert placements.look_up("AB12CD34").placement
    database.run("UPDATE placement SET status = 'suspended' WHERE token = 'AB12CD34'")
    assert placements.look_up("AB12CD34").placement is None


def test_scans_are_counted_by_day_language_and_browser_alone(placements, database):
    live = placements.look_up("AB12CD34").placement
    placements.count(live, Visit(network="192.0.2.0/24", user_agent=PHONE, language="fr"))
    placements.count(live, Visit(network="198.51.100.0/24", user_agent=PHONE, language="en"))
    rows = database.all("SELECT * FROM scan_counter ORDER BY language")
    day = clock.utcnow().date()
    assert [(row["language"], row["browser"], row["total"]) for row in rows] == [
        ("en", "chrome", 1),
        ("fr", "chrome", 1),
    ]
    assert abs(rows[0]["day"] - day) <= timedelta(days=1)
    assert set(rows[0]) == {"placement", "day", "language", "browser", "total"}


def test_a_reload_within_ten_seconds_counts_once(placements, database, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    live = placements.look_up("AB12CD34").placement
    visit = Visit(network="n", user_agent=PHONE, language="fr")
    for at in (1000.0, 1004.0, 1009.0):
        now[0] = at
        placements.count(live, visit)
    assert _total(database) == 1
    now[0] = 1030.0
    placements.count(live, visit)
    assert _total(database) == 2


@pytest.mark.parametrize(
    "user_agent",
    [
        "",
        "Googlebot/2.1",
        "WhatsApp/2.23",
        "curl/8.0",
        "facebookexternalhit/1.1",
        "python-requests/2",
    ],
)
def test_bots_and_link_previews_are_not_counted(placements, database, user_agent):
    live = placements.look_up("AB12CD34").placement
    placements.count(live, Visit(network="n", user_agent=user_agent, language="fr"))
    assert _total(database) == 0


def test_reports_of_a_suspicious_poster_are_counted_without_their_author(placements, database):
    live = placements.look_up("AB12CD34").placement
    for _ in range(9):
        placements.report(live, network="192.0.2.0/24")
    rows = database.all("SELECT * FROM placement_report")
    assert [(row["placement"], row["total"]) for row in rows] == [("AB12CD34", 5)]
    assert set(rows[0]) == {"placement", "day", "total"}
    assert isinstance(rows[0]["day"], date)


def test_a_network_that_tries_tokens_out_is_noticed(placements):
    assert not any(placements.too_many_misses("n") for _ in range(60))
    assert placements.too_many_misses("n")
    assert not placements.too_many_misses("other")


@pytest.mark.parametrize(
    ("user_agent", "family"),
    [
        ("Mozilla/5.0 (X11) Gecko/20100101 Firefox/140.0", "firefox"),
        ("Mozilla/5.0 (iPhone) AppleWebKit Version/18.0 Mobile/15E148 Safari/604.1", "safari"),
        (f"{PHONE} EdgA/141.0", "edge"),
        ("Something else", "other"),
    ],
)
def test_browsers_are_known_by_family_only(user_agent, family):
    assert browser_family(user_agent) == family


def _total(database):
    return database.one("SELECT coalesce(sum(total), 0) AS total FROM scan_counter")["total"]
