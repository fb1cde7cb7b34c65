from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from orchestrator.engine.journey import Start, StepContext
from orchestrator.services.contact_hours import ContactHours
from orchestrator.services.public_holidays import is_public_holiday
from orchestrator.services.quiet_hours import QuietHours
from schemas import ids

PARIS = ZoneInfo("Europe/Paris")
DAYTIME = "Mon-Sat 08:00-22:00"


@dataclass
class City:
    policies: dict
    city: dict = field(default_factory=lambda: {"timezone": "Europe/Paris"})

    def current(self):
        return self


def context(now, *, source="/partners/volt", commune="13055"):
    start = Start(type="t", source=source, subject="s", event_id="e", data={"commune": commune})
    return StepContext(
        run_id=ids.uuid7(),
        data_key_id=None,
        citizen_id=None,
        start=start,
        outputs={},
        now=now,
        world=None,
    )


def paris(text):
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).astimezone(UTC)


def sent_at(now, purpose="library.news", *, said=None, **members):
    hours = QuietHours(City({"quiet_hours": said or {"marketing": DAYTIME}}))
    return hours.may_send_at(purpose, context(now, **members))


def test_news_wait_for_the_morning_and_go_at_once_by_day():
    assert sent_at(paris("2026-11-20 15:00")) == paris("2026-11-20 15:00")
    assert sent_at(paris("2026-11-20 22:00")) == paris("2026-11-21 08:00")
    assert sent_at(paris("2026-11-21 23:30")) == paris("2026-11-23 08:00")  # no Sunday


def test_news_wait_for_the_end_of_a_public_holiday():
    assert sent_at(paris("2026-05-01 10:00")) == paris("2026-05-02 08:00")
    assert sent_at(paris("2026-05-13 23:00")) == paris("2026-05-15 08:00")  # Ascension


def test_a_code_that_a_person_just_asked_for_is_never_put_off():
    night = paris("2026-11-20 23:30")
    said = {"marketing": DAYTIME, "service": DAYTIME}
    assert sent_at(night, "access_code.delivery", said=said, source="/hub/citizen") == night
    assert sent_at(night, "access_code.delivery", said=said) == paris("2026-11-21 08:00")


def test_service_messages_leave_at_any_hour_and_day_unless_the_city_says_hours():
    night = paris("2026-05-01 03:00")
    assert sent_at(night, "access_code.delivery") == night
    said = {"service": "Mon-Sun 07:00-22:00"}
    assert sent_at(night, "access_code.delivery", said=said) == paris("2026-05-01 07:00")
    assert sent_at(night, said={"service": DAYTIME}) == night


def test_hours_are_those_of_where_the_person_lives():
    noon = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)  # 19:30 in Paris, 22:30 in La Réunion
    assert sent_at(noon) == noon
    reunion = sent_at(noon, commune="97411")
    assert reunion.astimezone(ZoneInfo("Indian/Reunion")).isoformat() == "2026-11-21T08:00:00+04:00"


@pytest.mark.parametrize(
    ("said", "first", "last"),
    [
        ("Mon-Sun 02:15-02:45", "2026-03-28 12:00", "2026-03-30 12:00"),
        ("Mon-Sun 02:15-02:45", "2026-10-24 12:00", "2026-10-26 12:00"),
        ("Mon-Sun 23:00-02:30", "2026-03-28 12:00", "2026-03-30 12:00"),
        ("Mon-Sun 23:00-02:30", "2026-10-24 12:00", "2026-10-26 12:00"),
        (DAYTIME, "2026-10-24 12:00", "2026-10-26 12:00"),
    ],
)
def test_no_night_of_a_clock_change_sends_back_in_time_or_wakes_for_nothing(said, first, last):
    hours = ContactHours.read(said, PARIS)
    moment, end = paris(first), paris(last)
    while moment < end:
        allowed = hours.allowed_from(moment)
        assert allowed >= moment
        assert hours.allowed_from(allowed) == allowed, moment
        assert allowed - moment < timedelta(days=3)
        moment += timedelta(minutes=5)


def test_the_holidays_are_the_eleven_of_the_country():
    year = [date(2027, 1, 1) + timedelta(days=days) for days in range(365)]
    assert [f"{day:%d/%m}" for day in year if is_public_holiday(day)] == [
        *("01/01", "29/03", "01/05", "06/05", "08/05", "17/05", "14/07", "15/08", "01/11", "11/11"),
        "25/12",
    ]


@pytest.mark.parametrize(
    "easter_monday", ["2000-04-24", "2008-03-24", "2011-04-25", "2024-04-01", "2038-04-26"]
)
def test_easter_monday_moves_with_the_moon(easter_monday):
    assert is_public_holiday(date.fromisoformat(easter_monday))
