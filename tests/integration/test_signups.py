from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest

from orchestrator import journeys
from orchestrator.services.intake import Intake
from orchestrator.services.ports.library import Asked
from orchestrator.services.purposes import NOTICES
from orchestrator.services.signups import (
    Budgets,
    Checked,
    Choices,
    Signups,
    Start,
    poster_notice,
    verification_code,
)
from orchestrator.store.connections import Database
from orchestrator.store.library import SignupTable
from schemas import clock, ids
from schemas.consent_proof import Notice
from schemas.events import poster_registration_requested
from schemas.messages import Accepted
from tests.fakes.inbox import FakeInbox
from tests.fakes.partner import Communes, ConsentCatalogue, Meter, Scans

pytestmark = pytest.mark.postgres

NOTICE = poster_notice("fr")
FIRST = Start(placement="AB12CD34", language="fr", age_band="26_64", postal_code="83300")
CHOICES = Choices(
    commune="83050",
    channel="sms",
    address="+33639980001",
    person=("Exemple", "Camille"),
    interests=("comics", "films"),
    notice=NOTICE,
)


class Inbox:
    """What our own pages said, kept once per id as intake does."""

    def __init__(self):
        self.messages = {}

    def receive_own(self, message):
        known = self.messages.setdefault(message.id, message)
        assert known.data == message.data
        assert known.time == message.time
        return Accepted(status="accepted", event_id=message.id, message_id=ids.uuid7())

    def of(self, kind):
        return [message for message in self.messages.values() if message.type.startswith(kind)]


@pytest.fixture
def inbox():
    return Inbox()


@pytest.fixture
def signups(database, vault, hub_keys, inbox):
    return _signups(database, vault, hub_keys, inbox)


@pytest.fixture
def turned_clock():
    yield clock.turn
    clock.turn(timedelta())


def test_a_proved_contact_becomes_one_message_with_what_was_chosen(signups, inbox, hub_keys):
    signup = _asked(signups)
    (asked,) = inbox.of("contact.")
    assert asked.data["contact"] == {"channel": "sms", "address": "+33639980001"}
    assert "code" not in asked.data
    code = verification_code(hub_keys, signup.id, signup.sends)
    assert signups.check(signup, f" {code[:3]} {code[3:]}") is Checked.VERIFIED
    (registered,) = inbox.of("poster.")
    assert registered.source == "/hub/citizen"
    assert registered.subject == str(signup.id)
    assert registered.data["placement"] == "AB12CD34"
    assert registered.data["person"] == {"family_name": "Exemple", "given_name": "Camille"}
    assert registered.data["interests"] == ["comics", "films"]
    consent = registered.data["consent"]
    assert consent["purposes"] == [
        "access_code.delivery",
        "library.preregistration",
        "interests.profile",
    ]
    assert consent["method"] == "verification_code"
    (event,) = poster_registration_requested.EVENTS
    assert event.read(registered.data)


def test_boxes_left_empty_send_neither_name_nor_interests(signups, inbox, hub_keys):
    signup = _asked(signups, replace(CHOICES, person=None, interests=None))
    signups.check(signup, verification_code(hub_keys, signup.id, signup.sends))
    (registered,) = inbox.of("poster.")
    assert {"person", "interests"} & registered.data.keys() == set()
    assert registered.data["consent"]["purposes"] == ["access_code.delivery"]


def test_the_interests_of_a_minor_are_not_kept(signups, inbox, hub_keys):
    signup = _asked(signups, start=replace(FIRST, age_band="15_17"))
    signups.check(signup, verification_code(hub_keys, signup.id, signup.sends))
    (registered,) = inbox.of("poster.")
    assert "interests" not in registered.data
    assert "interests.profile" not in registered.data["consent"]["purposes"]


def test_nothing_of_the_form_is_readable_in_its_row(signups, database):
    _asked(signups)
    row = database.one("SELECT * FROM signup")
    assert b"Exemple" not in row["body"]
    assert b"639980001" not in row["body"]
    assert not [value for value in row.values() if value == "form-token"]


def test_five_wrong_codes_lock_the_form_and_another_code_opens_it(
    signups, hub_keys, turned_clock, database_url, vault, inbox
):
    signup = _asked(signups)
    right = verification_code(hub_keys, signup.id, signup.sends)
    wrong = f"{(int(right) + 1) % 10**6:06d}"
    outcomes = [signups.check(signups.find("form-token"), wrong) for _ in range(6)]
    assert outcomes == [Checked.WRONG] * 4 + [Checked.NO_MORE_TRIES] * 2
    assert signups.check(signups.find("form-token"), right) is Checked.NO_MORE_TRIES
    assert not inbox.of("poster.")
    turned_clock(timedelta(seconds=31))
    later, mine = _later(database_url, vault, hub_keys, inbox)
    assert mine.ask_again(mine.find("form-token"), network="n") is Asked.SENT
    again = mine.find("form-token")
    assert mine.check(again, right) is Checked.WRONG
    fresh = verification_code(hub_keys, again.id, again.sends)
    assert mine.check(mine.find("form-token"), fresh) is Checked.VERIFIED
    later.close()


def test_parallel_guesses_get_five_tries_and_no_more(
    signups, database_url, vault, hub_keys, inbox, database
):
    signup = _asked(signups)
    right = verification_code(hub_keys, signup.id, signup.sends)
    guesses = [f"{(int(right) + 1 + n) % 10**6:06d}" for n in range(30)]
    with ThreadPoolExecutor(10) as pool:
        outcomes = list(
            pool.map(lambda g: _alone(database_url, vault, hub_keys, inbox, g), guesses)
        )
    assert Checked.VERIFIED not in outcomes
    assert database.one("SELECT tries FROM signup")["tries"] >= 5
    assert signups.check(signups.find("form-token"), right) is Checked.NO_MORE_TRIES


def test_a_code_is_too_late_after_ten_minutes(
    signups, hub_keys, turned_clock, database_url, vault, inbox
):
    signup = _asked(signups)
    turned_clock(timedelta(minutes=11))
    later, mine = _later(database_url, vault, hub_keys, inbox)
    right = verification_code(hub_keys, signup.id, signup.sends)
    assert mine.check(mine.find("form-token"), right) is Checked.TOO_LATE
    later.close()


def test_another_code_waits_thirty_seconds(signups):
    signup = _asked(signups)
    assert signups.ask_again(signup, network="n") is Asked.TOO_SOON
    assert 25 <= signups.may_ask_again_in(signup) <= 30


def test_another_address_makes_the_first_code_worthless(
    signups, hub_keys, turned_clock, database_url, vault, inbox
):
    first = _asked(signups)
    mine_code = verification_code(hub_keys, first.id, first.sends)
    other = replace(CHOICES, address="+33639980002")
    assert signups.ask(first, other, network="n") is Asked.TOO_SOON
    assert signups.find("form-token").body["contact"]["address"] == "+33639980001"
    turned_clock(timedelta(seconds=31))
    later, mine = _later(database_url, vault, hub_keys, inbox)
    assert mine.ask(mine.find("form-token"), other, network="n") is Asked.SENT
    assert mine.check(mine.find("form-token"), mine_code) is Checked.WRONG
    later.close()


def test_answers_changed_after_a_code_make_it_worthless(signups, hub_keys, inbox):
    signup = _asked(signups)
    signups.start("form-token", replace(FIRST, postal_code="13001"))
    code = verification_code(hub_keys, signup.id, signup.sends)
    assert signups.check(signups.find("form-token"), code) is Checked.NO_MORE_TRIES
    assert not inbox.of("poster.")


def test_a_hundred_parallel_posts_of_one_form_make_one_preregistration(
    database, database_url, vault, hub_keys, inbox
):
    barrier = Barrier(25)

    def post(_):
        own = Database(database_url, size=1)
        mine = _signups(own, vault, hub_keys, inbox)
        try:
            barrier.wait(20)
            signup = mine.start("form-token", FIRST)
            asked = mine.ask(signup, CHOICES, network="n")
            signup = mine.find("form-token")
            code = verification_code(hub_keys, signup.id, 1)
            return asked, mine.check(signup, code)
        finally:
            own.close()

    with ThreadPoolExecutor(25) as pool:
        outcomes = list(pool.map(post, range(100)))
    assert database.one("SELECT count(*) AS n FROM signup")["n"] == 1
    assert database.one("SELECT count(*) AS n FROM data_key")["n"] == 1
    assert database.one("SELECT sends FROM signup")["sends"] == 1
    assert len(inbox.of("contact.")) == 1
    assert len(inbox.of("poster.")) == 1
    assert set(outcomes) == {(Asked.SENT, Checked.VERIFIED)}


def test_one_contact_gets_three_codes_an_hour_whatever_the_form(signups, inbox):
    outcomes = []
    for number in range(5):
        signup = signups.start(f"form-{number}", FIRST)
        outcomes.append(signups.ask(signup, CHOICES, network=f"n{number}"))
    assert outcomes == [Asked.SENT] * 3 + [Asked.OVER_BUDGET] * 2
    assert len(inbox.of("contact.")) == 3


@pytest.mark.parametrize(
    "budgets",
    [
        Budgets(per_network_an_hour=2),
        Budgets(per_placement_a_day=2),
        Budgets(overall_a_day=2),
    ],
)
def test_networks_posters_and_the_day_have_their_budget(database, vault, hub_keys, inbox, budgets):
    mine = _signups(database, vault, hub_keys, inbox, budgets=budgets)
    outcomes = []
    for number in range(4):
        choices = replace(CHOICES, address=f"+3363998000{number}")
        signup = mine.start(f"form-{number}", FIRST)
        outcomes.append(mine.ask(signup, choices, network="n"))
    assert outcomes == [Asked.SENT] * 2 + [Asked.OVER_BUDGET] * 2
    refused = mine.find("form-3")
    assert (refused.sends, "contact" in refused.body) == (0, False)


def test_a_form_and_its_key_are_gone_after_an_hour(
    signups, turned_clock, database_url, vault, hub_keys, inbox
):
    _asked(signups)
    turned_clock(timedelta(minutes=61))
    later, mine = _later(database_url, vault, hub_keys, inbox)
    assert mine.find("form-token") is None
    assert mine.rows.forget_expired() == 1
    assert later.one("SELECT count(*) AS n FROM data_key")["n"] == 0
    later.close()


def test_a_proved_contact_ends_the_other_forms_that_wait_for_it(signups, inbox, hub_keys):
    """Somebody else began a form with the same address, and hopes for its code."""
    forms = {}
    for name, choices in (
        ("mine", CHOICES),
        ("planted", replace(CHOICES, address=CHOICES.address.upper())),
        ("another", replace(CHOICES, address="another@example.org")),
    ):
        signup = signups.start(name, FIRST)
        assert signups.ask(signup, choices, network="n") is Asked.SENT
        forms[name] = signups.find(name)

    def check(name):
        form = forms[name]
        return signups.check(form, verification_code(hub_keys, form.id, form.sends))

    assert check("mine") is Checked.VERIFIED
    assert signups.find("planted") is None
    assert check("planted") is Checked.NO_MORE_TRIES
    assert check("mine") is check("another") is Checked.VERIFIED
    assert len(inbox.of("poster.")) == 2


def test_two_forms_of_one_contact_proved_at_once_are_one(
    signups, database_url, vault, hub_keys, inbox
):
    forms = []
    for name in ("one", "two"):
        assert signups.ask(signups.start(name, FIRST), CHOICES, network="n") is Asked.SENT
        forms.append(signups.find(name))

    def check(form):
        own, mine = _later(database_url, vault, hub_keys, inbox)
        try:
            return mine.check(form, verification_code(hub_keys, form.id, form.sends))
        finally:
            own.close()

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(check, forms))

    assert sorted(one.value for one in outcomes) == ["no_more_tries", "verified"]
    assert len(inbox.of("poster.")) == 1


def test_verified_forms_keep_what_was_proved(signups, inbox, hub_keys):
    signup = _asked(signups)
    signups.check(signup, verification_code(hub_keys, signup.id, signup.sends))
    signups.start("form-token", replace(FIRST, postal_code="13001"))
    kept = signups.find("form-token")
    assert kept.body["postal_code"] == "83300"
    signups.register(kept)
    assert len(inbox.of("poster.")) == 1


def _asked(signups, choices=CHOICES, start=FIRST):
    signup = signups.start("form-token", start)
    assert signups.ask(signup, choices, network="n") is Asked.SENT
    return signups.find("form-token")


def _signups(database, vault, hub_keys, inbox, *, budgets=None):
    return Signups(
        rows=SignupTable(database=database, vault=vault),
        intake=inbox,
        keys=hub_keys,
        budgets=budgets or Budgets(),
    )


def _later(database_url, vault, hub_keys, inbox):
    own = Database(database_url, size=1)  # a connection takes the clock when it opens
    return own, _signups(own, vault, hub_keys, inbox)


def _alone(database_url, vault, hub_keys, inbox, typed):
    own, mine = _later(database_url, vault, hub_keys, inbox)
    try:
        return mine.check(mine.find("form-token"), typed)
    finally:
        own.close()


def test_what_the_pages_say_passes_intake_whole(
    database, vault, hub_keys, turned_clock, database_url
):
    inbox = FakeInbox()
    intake = Intake(
        inbox=inbox,
        body_key=hub_keys.body_digest,
        communes=Communes(),
        catalogue=lambda: _CATALOGUE,
        scans=Scans(),
        meter=Meter(),
        route=journeys.route,
    )
    _asked(_signups(database, vault, hub_keys, intake), replace(CHOICES, commune="13055"))
    turned_clock(timedelta(seconds=31))
    later, mine = _later(database_url, vault, hub_keys, intake)
    assert mine.ask_again(mine.find("form-token"), network="n") is Asked.SENT
    signup = mine.find("form-token")
    mine.check(signup, verification_code(hub_keys, signup.id, signup.sends))
    mine.register(mine.find("form-token"))
    later.close()
    assert sorted(journey for journey, _key in inbox.runs) == [
        "contact.verification",
        "contact.verification",
        "library.arrival",
    ]
    (arrived,) = [data for (name, _), data in inbox.runs.items() if name == "library.arrival"]
    assert {"person", "contact", "interests", "consent"} <= arrived.keys()


_CATALOGUE = ConsentCatalogue(
    purposes=(),
    notices={
        (notice.version, notice.locale): Notice(
            sha256=notice.sha256,
            purposes=frozenset(notice.purposes),
            recipients=frozenset(notice.recipients),
        )
        for notice in NOTICES
    },
)
