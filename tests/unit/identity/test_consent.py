from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from identity.consent import ConsentRecord, Event, State, may, state

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
CODE, NEWS = "access_code.delivery", "library.news"


def record(
    event="given", *, minutes=0, channel="sms", purposes=(CODE,), number=1, until=None, parent=None
):
    return ConsentRecord(
        record_id=UUID(int=number),
        purposes=purposes,
        channel=channel,
        event_type=Event(event),
        event_time=NOON + timedelta(minutes=minutes),
        validity_end=until,
        parental_ref=parent,
    )


def test_without_a_record_nothing_may_leave():
    assert may([], CODE, "sms", NOON) is None
    assert state([], CODE, "sms", NOON) is State.NEVER_ASKED


def test_the_basis_names_the_record_that_allows_it():
    assert may([record(number=7)], CODE, "sms", NOON).record_id == UUID(int=7)


def test_the_last_event_wins_whatever_the_order_of_arrival():
    records = [record("renewed", minutes=-1), record("withdrawn", minutes=-2), record(minutes=-3)]
    assert state(records, CODE, "sms", NOON) is State.GIVEN
    assert state(records[1:], CODE, "sms", NOON) is State.WITHDRAWN


def test_a_refusal_wins_over_a_consent_of_the_same_moment():
    for closing in ("refused", "withdrawn", "expired"):
        records = [record(closing, number=1), record(number=2)]
        assert may(records, CODE, "sms", NOON) is None
        assert may(records[::-1], CODE, "sms", NOON) is None


def test_a_consent_ends_with_its_validity():
    records = [record(minutes=-5, until=NOON)]
    assert may(records, CODE, "sms", NOON) is None
    assert state(records, CODE, "sms", NOON) is State.EXPIRED
    assert may(records, CODE, "sms", NOON - timedelta(seconds=1))


def test_a_channel_says_nothing_about_another():
    assert may([record(channel="email")], CODE, "sms", NOON) is None


def test_a_refusal_without_a_channel_closes_them_all_and_a_consent_without_one_opens_none():
    assert (
        may(
            [record(minutes=-2), record("withdrawn", minutes=-1, channel="none")], CODE, "sms", NOON
        )
        is None
    )
    assert may([record(channel="none")], CODE, "sms", NOON) is None


def test_a_purpose_that_sends_nothing_hears_every_channel():
    assert may([record(channel="email")], CODE, "none", NOON)
    assert (
        may(
            [record(minutes=-2), record("withdrawn", minutes=-1, channel="email")],
            CODE,
            "none",
            NOON,
        )
        is None
    )


def test_a_purpose_says_nothing_about_another():
    assert may([record(purposes=(NEWS,))], CODE, "sms", NOON) is None


def test_a_consent_from_the_future_waits_and_a_withdrawal_does_not():
    assert may([record(minutes=3)], CODE, "sms", NOON) is None
    assert may([record(), record("withdrawn", minutes=3)], CODE, "sms", NOON) is None


def test_under_15_a_consent_needs_a_parent():
    assert may([record()], CODE, "sms", NOON, age_band="under_15") is None
    assert may([record(parent=UUID(int=9))], CODE, "sms", NOON, age_band="under_15")
    assert may([record()], CODE, "sms", NOON, age_band="15_17")


RECORDS = st.lists(
    st.builds(
        record,
        st.sampled_from([event.value for event in Event]),
        minutes=st.integers(-6, 3),
        channel=st.sampled_from(["sms", "email", "none"]),
        purposes=st.lists(st.sampled_from([CODE, NEWS]), min_size=1, max_size=2, unique=True).map(
            tuple
        ),
        number=st.integers(1, 2**64),
        until=st.none() | st.integers(-4, 4).map(lambda minutes: NOON + timedelta(minutes=minutes)),
    ),
    max_size=8,
)


def model(records, purpose, channel, at):
    """Walk minute by minute, as a clerk with a paper file would."""
    allowed_until = None
    for moment in sorted({item.event_time for item in records}):
        today = [item for item in records if item.event_time == moment and purpose in item.purposes]
        closing = [
            item
            for item in today
            if item.event_type.value in ("refused", "withdrawn", "expired")
            and (channel == "none" or item.channel in (channel, "none"))
        ]
        opening = [
            item
            for item in today
            if item.event_type.value in ("given", "renewed")
            and moment <= at
            and (channel in ("none", item.channel))
        ]
        if closing:
            allowed_until = None
        elif opening:
            allowed_until = (
                max(opening, key=lambda item: item.record_id.int).validity_end or "for ever"
            )
    return allowed_until == "for ever" or (allowed_until is not None and allowed_until > at)


@given(
    RECORDS, st.sampled_from([CODE, NEWS]), st.sampled_from(["sms", "email", "none"]), st.randoms()
)
def test_any_history_in_any_order_gives_what_a_clerk_would_say(records, purpose, channel, random):
    shuffled = list(records)
    random.shuffle(shuffled)
    allowed = may(shuffled, purpose, channel, NOON) is not None
    assert allowed == model(records, purpose, channel, NOON)
    assert allowed == (state(shuffled, purpose, channel, NOON) is State.GIVEN)
