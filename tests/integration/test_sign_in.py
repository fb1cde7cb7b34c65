"""Signing in on PostgreSQL: conversations, who somebody is, sessions, and what nobody may do twice."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.services.ports.sign_in import Outcome
from orchestrator.services.sign_in import SignIn, safe_path
from orchestrator.store.sessions import SessionTable, forget_sessions
from orchestrator.store.sign_in import SignInTable, forget_conversations
from schemas.errors import IdentityUnavailableError, RateLimitedError, SamlRefusedError
from schemas.logins import Binding, Face, Level, SamlMessage, SamlPurpose
from tests.fakes.realm import Realm

pytestmark = pytest.mark.postgres
PERSON = {
    "given_names": "Zoé Marie",
    "birth_name": "LŒUVRE",
    "birthdate": "1990-04-02",
    "gender": "female",
    "birthplace": "13055",
    "birthcountry": "99100",
}


def franceconnect(number, *, acr="eidas1", alias="france-connect", **changes):
    return {
        "name_id": f"G-{number}",
        "kc_user": f"user-{number}",
        "idp_alias": alias,
        "fc_acr": acr,
        "fc_sub": f"sub-{number}",
        **PERSON,
        **changes,
    }


def local(number, **changes):
    known = {"name_id": f"G-{number}", "kc_user": f"user-{number}", "email_verified": "true"}
    return {**known, **changes}


class Desk:
    """A sign-in of one face with a realm that says what it is told."""

    def __init__(self, database, vault, keys, face=Face.CITIZEN):
        self.realm, self.database = Realm(), database
        parts = {"database": database, "vault": vault, "keys": keys, "face": face}
        self.use = SignIn(
            face=face,
            provider_now=lambda: self.realm,
            rows=SignInTable(**parts),
            sessions=SessionTable(**parts),
            keys=keys,
        )

    def depart(self, purpose=SamlPurpose.LOGIN, *, browser="b", session=None, **more):
        return self.use.begin(
            browser=browser, purpose=purpose, return_path="/mon-espace", session=session, **more
        )

    def sign_in(self, said, purpose=SamlPurpose.LOGIN, *, session=None, browser="b", **more):
        departure = self.depart(purpose, browser=browser, session=session, **more)
        return self.use.arrive(self.realm.message(departure, **said), browser=browser)

    def session(self, said, **more):
        return self.use.session(self.sign_in(said, **more).cookie)

    def count(self, table, where="true"):
        return self.database.one(f"SELECT count(*) AS n FROM {table} WHERE {where}")["n"]


@pytest.fixture
def desk(database, vault, hub_keys):
    return Desk(database, vault, hub_keys)


@pytest.fixture
def staff(database, vault, hub_keys):
    return Desk(database, vault, hub_keys, face=Face.CONSOLE)


def refusal(desk, message, browser="b"):
    with pytest.raises(SamlRefusedError) as caught:
        desk.use.arrive(message, browser=browser)
    return caught.value.code


# --- one answer, once, in the browser that asked ---------------------------------------------------


def test_a_first_sign_in_makes_a_citizen_with_three_logins_and_a_session(desk):
    arrived = desk.sign_in(franceconnect(1))

    assert arrived.outcome is Outcome.SIGNED_IN
    assert arrived.return_path == "/mon-espace"
    session = desk.use.session(arrived.cookie)
    assert (session.level, session.idp_alias) == (Level.ACCOUNT_PROVED, "france-connect")
    assert desk.count("citizen", "state = 'active'") == 1
    aliases = desk.database.all(
        "SELECT alias FROM login WHERE citizen_id IS NOT NULL ORDER BY alias"
    )
    assert [row["alias"] for row in aliases] == ["france-connect", "realm_saml", "realm_token"]
    assert desk.count("civil_status") == 6
    assert desk.count("journal_entry", "type = 'identity.signed_in'") == 1


def test_the_same_person_is_known_again_and_nothing_is_written_twice(desk):
    first = desk.session(franceconnect(1))
    again = desk.session(franceconnect(1))

    assert again.citizen_id == first.citizen_id
    assert again.id != first.id
    assert desk.count("login") == 3
    assert desk.count("civil_status") == 6


def test_an_answer_counts_once(desk):
    message = desk.realm.message(desk.depart(), **franceconnect(1))
    assert desk.use.arrive(message, browser="b").cookie

    assert refusal(desk, message) == "unknown_request"
    other = desk.realm.message(desk.depart(), **franceconnect(1))
    moved = SamlMessage(binding=Binding.POST, text=message.text, relay_state=other.relay_state)
    assert refusal(desk, moved) == "replay"
    assert desk.count("web_session") == 1


def test_an_answer_is_the_browsers_that_asked(desk):
    message = desk.realm.message(desk.depart(browser="hers"), **franceconnect(1))

    assert refusal(desk, message, browser="his") == "replay"
    assert refusal(desk, message, browser=None) == "replay"
    assert desk.use.arrive(message, browser="hers").cookie, "a stranger's try spoils nothing"


def test_a_conversation_ends_after_ten_minutes(desk):
    message = desk.realm.message(desk.depart(), **franceconnect(1))
    desk.database.run("UPDATE saml_request SET expires_at = parvis_now() - interval '1 second'")

    assert refusal(desk, message) == "unknown_request"


@pytest.mark.parametrize("relay", [None, "", "x" * 81, "unknown", "https://evil.example/"])
def test_a_relay_state_nobody_gave_leads_nowhere(desk, relay):
    message = SamlMessage(binding=Binding.POST, text="x", relay_state=relay)

    assert refusal(desk, message) == "unknown_request"


def test_one_face_does_not_take_the_others_answers(desk, staff):
    message = desk.realm.message(desk.depart(), **franceconnect(1))

    assert refusal(staff, message) == "unknown_request"


def test_an_answer_posted_to_two_processes_at_once_opens_one_session(desk):
    message = desk.realm.message(desk.depart(), **franceconnect(1))

    def arrive(_number):
        try:
            return desk.use.arrive(message, browser="b").cookie
        except SamlRefusedError:
            return None

    with ThreadPoolExecutor(4) as pool:
        cookies = list(pool.map(arrive, range(4)))
    assert sum(cookie is not None for cookie in cookies) == 1
    assert desk.count("web_session") == 1


def test_two_first_sign_ins_of_one_person_at_once_make_one_citizen(desk):
    messages = [desk.realm.message(desk.depart(), **franceconnect(1)) for _ in range(4)]

    with ThreadPoolExecutor(4) as pool:
        arrived = list(pool.map(lambda one: desk.use.arrive(one, browser="b"), messages))
    assert all(one.cookie for one in arrived)
    assert desk.count("citizen") == 1
    assert desk.count("login") == 3


def test_a_refusal_is_in_the_journal_with_its_case_and_no_xml(desk):
    message = SamlMessage(binding=Binding.POST, text="x", relay_state="unknown")

    with pytest.raises(SamlRefusedError) as caught:
        desk.use.arrive(message, browser="b")
    row = desk.database.one(
        "SELECT case_ref, subject_ref FROM journal_entry WHERE type = 'identity.refused'"
    )
    assert row == {"case_ref": caught.value.case, "subject_ref": None}


# --- who is this -----------------------------------------------------------------------------------


def test_a_second_realm_account_with_six_equal_fields_is_the_same_person_when_franceconnect_vouches(
    desk,
):
    officer = desk.session(franceconnect(1)).citizen_id
    desk.database.run("UPDATE login SET valid_to = parvis_now(), closed_reason = 'unlinked'")

    again = desk.session(franceconnect(2, given_names="ZOE  Marie", birth_name="Loeuvre"))

    assert again.citizen_id == officer
    assert desk.count("login", "valid_to IS NULL AND method = 'six_equal'") == 3
    assert desk.count("journal_entry", "type = 'identity.linked'") == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"given_names": "Zoé"},
        {"birthdate": "1990-04-03"},
        {"birthplace": "2A004"},
        {"gender": "male"},
    ],
)
def test_one_field_that_differs_is_proposed_and_shows_nothing(desk, changes):
    first = desk.session(franceconnect(1)).citizen_id
    desk.database.run("UPDATE login SET valid_to = parvis_now(), closed_reason = 'unlinked'")

    other = desk.session(franceconnect(2, **changes))

    assert other.citizen_id != first
    case = desk.database.one("SELECT kind, rule, citizen_id, others FROM identity_case")
    assert case == {
        "kind": "proposed_match",
        "rule": "near_match",
        "citizen_id": other.citizen_id,
        "others": [first],
    }


def test_twins_are_two_people_and_both_sign_in(desk):
    first = desk.session(franceconnect(1)).citizen_id
    second = desk.session(franceconnect(2, given_names="Léa Marie")).citizen_id

    assert second != first
    assert desk.count("identity_case", "kind = 'proposed_match' AND rule = 'other_subject'") == 1


def test_two_subjects_of_franceconnect_are_never_joined_by_themselves(desk):
    desk.session(franceconnect(1))

    arrived = desk.sign_in(franceconnect(2))

    assert (arrived.outcome, arrived.cookie) == (Outcome.UNDER_REVIEW, None)
    assert desk.count("citizen") == 1
    assert desk.count("login") == 3
    assert desk.count("identity_case", "kind = 'review' AND rule = 'other_subject'") == 1


def test_keys_that_lead_to_two_people_open_nothing(desk):
    desk.session(local(1))
    desk.session(local(2))

    arrived = desk.sign_in({**local(1), "kc_user": "user-2"})

    assert arrived.outcome is Outcome.UNDER_REVIEW
    assert desk.count("identity_case", "rule = 'keys_disagree'") == 1


@pytest.mark.parametrize(
    ("said", "level"),
    [
        (franceconnect(1), Level.ACCOUNT_PROVED),
        (franceconnect(1, acr="eidas2", alias="france-connect-plus"), Level.STRONG),
        (local(1), Level.CONTACT_PROVED),
        (local(1, fc_acr="eidas3", fc_sub="sub-1"), Level.CONTACT_PROVED),
        (local(1, idp_alias="social", fc_acr="eidas3"), Level.CONTACT_PROVED),
    ],
)
def test_a_session_is_worth_what_its_sign_in_proved(desk, said, level):
    assert desk.session(said).level is level


def test_refusals_of_one_network_are_written_down_within_bounds_and_keep_nobody_out(desk):
    forged = SamlMessage(binding=Binding.POST, text="forged", relay_state="unknown")
    for _ in range(60):
        with pytest.raises(SamlRefusedError):
            desk.use.arrive(forged, browser="b", network="192.0.2.0/24")

    with pytest.raises(RateLimitedError) as flood:
        desk.use.arrive(forged, browser="b", network="192.0.2.0/24")
    with pytest.raises(RateLimitedError):
        desk.use.arrive(forged, browser="b", network="192.0.2.0/24")

    assert flood.value.retry_after == 3600
    assert desk.count("journal_entry", "type = 'identity.refused'") == 60
    with pytest.raises(SamlRefusedError):
        desk.use.arrive(forged, browser="b", network="198.51.100.0/24")
    message = desk.realm.message(desk.depart(), **local(1))
    assert desk.use.arrive(message, browser="b", network="192.0.2.0/24").cookie


def test_a_conversation_bears_a_few_bad_answers_then_it_is_over(desk):
    departure = desk.depart()
    good = desk.realm.message(departure, **local(1))
    bad = SamlMessage(binding=Binding.POST, text="forged", relay_state=good.relay_state)

    assert [refusal(desk, bad) for _ in range(5)] == ["signature"] * 5
    assert refusal(desk, bad) == "unknown_request"
    assert refusal(desk, good) == "unknown_request"
    other = desk.realm.message(desk.depart(), **local(1))
    assert desk.use.arrive(other, browser="b").cookie


UNPROVED = [
    local(1, email_verified="false"),
    local(1, email_verified=""),
    local(1, email_verified="false", fc_acr="eidas3", fc_sub="sub-1"),
    franceconnect(1, acr=""),
    franceconnect(1, acr="eidas9"),
    franceconnect(1, acr="", email_verified="true"),
]


@pytest.mark.parametrize("said", UNPROVED)
def test_a_sign_in_that_proved_nothing_opens_nothing_and_leaves_nobody(desk, said):
    message = desk.realm.message(desk.depart(), **said)
    arrived = desk.use.arrive(message, browser="b")

    assert (arrived.outcome, arrived.cookie) == (Outcome.UNPROVED, None)
    assert [desk.count(table) for table in ("citizen", "login", "civil_status", "web_session")] == [
        *(0, 0, 0, 0)
    ]
    assert desk.count("journal_entry", "type = 'identity.refused'") == 1
    assert refusal(desk, message) == "unknown_request"
    gone = desk.use.part(arrived, browser="b", return_path="/")
    assert gone is not None


def test_who_was_known_is_not_let_in_by_a_sign_in_that_proves_nothing(desk):
    known = desk.session(local(1))

    arrived = desk.sign_in(local(1, email_verified="false"))

    assert (arrived.outcome, arrived.cookie) == (Outcome.UNPROVED, None)
    assert desk.count("web_session", f"citizen_id = '{known.citizen_id}' AND ended_at IS NULL") == 1


@pytest.mark.parametrize("purpose", [SamlPurpose.STEP_UP, SamlPurpose.LINK, SamlPurpose.UNLINK])
def test_a_proof_that_proves_nothing_leaves_the_session_and_its_logins_as_they_were(desk, purpose):
    before = desk.sign_in(franceconnect(1))
    session = desk.use.session(before.cookie)

    arrived = desk.sign_in(local(2, email_verified="false"), purpose, session=session)

    assert (arrived.outcome, arrived.cookie) == (Outcome.UNPROVED, None)
    assert desk.use.session(before.cookie) == session
    assert desk.count("login") == 3


# --- while signed in -------------------------------------------------------------------------------


def test_a_step_up_gives_another_session_and_ends_the_one_before(desk):
    before = desk.sign_in(franceconnect(1))
    session = desk.use.session(before.cookie)

    arrived = desk.sign_in(
        franceconnect(1), SamlPurpose.STEP_UP, session=session, level=Level.ACCOUNT_PROVED
    )

    assert arrived.outcome is Outcome.STEPPED_UP
    assert desk.use.session(before.cookie) is None
    assert desk.use.session(arrived.cookie).proved_at is not None


def test_a_step_up_that_proves_too_little_changes_nothing(desk):
    before = desk.sign_in(franceconnect(1))
    session = desk.use.session(before.cookie)
    departure = desk.depart(SamlPurpose.STEP_UP, session=session, level=Level.STRONG)

    assert refusal(desk, desk.realm.message(departure, **franceconnect(1))) == "level"
    assert desk.use.session(before.cookie) is not None


def test_a_step_up_by_somebody_else_is_refused(desk):
    session = desk.session(local(1))
    departure = desk.depart(SamlPurpose.STEP_UP, session=session)

    assert refusal(desk, desk.realm.message(departure, **local(2))) == "other_person"


def test_a_second_login_proved_in_one_session_is_linked_and_ends_the_others(desk):
    elsewhere = desk.sign_in(local(1))
    session = desk.session(local(1))

    arrived = desk.sign_in(franceconnect(2), SamlPurpose.LINK, session=session)

    assert arrived.outcome is Outcome.LINKED
    linked = desk.use.session(arrived.cookie)
    assert linked.citizen_id == session.citizen_id
    assert desk.count("citizen") == 1
    assert desk.use.session(elsewhere.cookie) is None
    assert desk.session(franceconnect(2)).citizen_id == session.citizen_id


def test_a_login_of_somebody_else_is_not_taken_over(desk):
    other = desk.session(franceconnect(2)).citizen_id
    session = desk.session(local(1))

    arrived = desk.sign_in(franceconnect(2), SamlPurpose.LINK, session=session)

    assert arrived.outcome is Outcome.UNDER_REVIEW
    assert desk.session(franceconnect(2)).citizen_id == other
    assert desk.count("identity_case", "rule = 'subject_elsewhere'") == 1


def test_a_link_begun_in_a_session_that_ended_is_refused(desk):
    session = desk.session(local(1))
    departure = desk.depart(SamlPurpose.LINK, session=session)
    desk.use.leave(session, browser="b")

    assert refusal(desk, desk.realm.message(departure, **franceconnect(2))) == "session_over"


# --- sessions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "column", ["seen_at = parvis_now() - interval '61 minutes'", "expires_at = parvis_now()"]
)
def test_a_session_ends_when_idle_for_an_hour_or_old(desk, column):
    cookie = desk.sign_in(local(1)).cookie
    desk.database.run(f"UPDATE web_session SET {column}")

    assert desk.use.session(cookie) is None


@pytest.mark.parametrize("cookie", [None, "", "é", "x" * 65, "y" * 43])
def test_a_cookie_that_is_none_of_ours_is_nobody(desk, cookie):
    assert desk.use.session(cookie) is None


def test_leaving_ends_the_session_here_before_the_realm_is_told(desk):
    arrived = desk.sign_in(local(1))
    session = desk.use.session(arrived.cookie)

    departure = desk.use.leave(session, browser="b", return_path="/au-revoir")

    assert "name=G-1" in departure.url
    assert desk.use.session(arrived.cookie) is None
    answer = SamlMessage(binding=Binding.REDIRECT, text=departure.request_id)
    assert desk.use.logout_answered(answer, browser="b") == "/au-revoir"
    assert desk.use.logout_answered(answer, browser="b") == "/", "an answer counts once"


def test_an_unsigned_answer_to_a_logout_is_ignored(desk):
    answer = SamlMessage(binding=Binding.REDIRECT, text="unsigned")

    assert desk.use.logout_answered(answer, browser="b") == "/"


def test_the_realm_ends_the_session_it_names_and_no_other(desk):
    first = desk.sign_in(local(1, session_index="one"))
    second = desk.sign_in(local(1, session_index="two"))
    other = desk.sign_in(local(2, session_index="one"))

    url = desk.use.logout(SamlMessage(binding=Binding.POST, text="G-1|one"))

    assert url.endswith("/answered")
    alive = [desk.use.session(one.cookie) is not None for one in (first, second, other)]
    assert alive == [False, True, True]


def test_a_logout_without_an_index_ends_every_session_of_the_name(desk):
    arrived = [desk.sign_in(local(1, session_index=str(number))) for number in range(3)]

    desk.use.logout(SamlMessage(binding=Binding.POST, text="G-1"))

    assert [desk.use.session(one.cookie) for one in arrived] == [None] * 3


def test_a_logout_request_counts_once(desk):
    desk.use.logout(SamlMessage(binding=Binding.POST, text="G-1|one"))

    with pytest.raises(SamlRefusedError) as caught:
        desk.use.logout(SamlMessage(binding=Binding.POST, text="G-1|one"))
    assert caught.value.code == "replay"


def test_what_is_over_is_forgotten(desk):
    desk.sign_in(local(1))
    desk.database.run("UPDATE saml_request SET expires_at = parvis_now() - interval '25 hours'")
    desk.database.run("UPDATE saml_seen SET expires_at = parvis_now() - interval '1 second'")
    desk.database.run("UPDATE web_session SET expires_at = parvis_now() - interval '31 days'")

    assert forget_conversations(desk.database) == 3
    assert forget_sessions(desk.database) == 1


# --- staff --------------------------------------------------------------------------------------------


def test_the_first_login_under_a_name_takes_its_roles_and_the_next_does_not(staff):
    staff.database.run(
        "INSERT INTO staff_role(id, name, role, granted_by) VALUES (gen_random_uuid(), 'm.durand', 'admin', 't')"
    )
    first = staff.session({**local(1), "username": "m.durand"})
    second = staff.session({**local(2), "username": "m.durand"})

    assert (first.actor, first.citizen_id) == ("m.durand", None)
    row = staff.database.one("SELECT login_id FROM staff_role")
    assert row["login_id"] == first.login_id != second.login_id


def test_a_staff_answer_without_a_name_opens_nothing(staff):
    departure = staff.depart()

    assert refusal(staff, staff.realm.message(departure, **local(1))) == "username"
    assert staff.count("web_session") == 0


# --- closed, and addresses ------------------------------------------------------------------------------


def test_without_a_realm_nobody_signs_in_and_it_is_said(database, vault, hub_keys):
    parts = {"database": database, "vault": vault, "keys": hub_keys, "face": Face.CITIZEN}
    closed = SignIn(
        face=Face.CITIZEN,
        provider_now=lambda: None,
        rows=SignInTable(**parts),
        sessions=SessionTable(**parts),
        keys=hub_keys,
    )

    assert not closed.is_open
    with pytest.raises(IdentityUnavailableError):
        closed.begin(browser="b", purpose=SamlPurpose.LOGIN, return_path="/")


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "",
        "x",
        "/a\nb",
        "/" + "a" * 600,
    ],
)
def test_a_return_path_stays_here(path):
    assert safe_path(path) == "/"


def test_no_subject_no_name_and_no_attribute_stands_in_clear_in_the_tables(desk, database):
    desk.session(franceconnect(7, session_index="i"))

    for table in (
        "login",
        "civil_status",
        "civil_status_key",
        "web_session",
        "journal_entry",
        "saml_request",
    ):
        text = str(database.all(f"SELECT t::text AS t FROM {table} t"))
        for clear in ("G-7", "user-7", "sub-7", "LŒUVRE", "Zoé", "1990-04-02"):
            assert clear not in text, (table, clear)
