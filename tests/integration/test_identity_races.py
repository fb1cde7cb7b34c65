"""Two things at once to one person: a sign-in, an unlink, a merge, a code, a card, a worker.

Each test holds a row that both need, lets them queue in a chosen order, then lets go. Whatever the order,
nobody gets a session or a record by what was so a moment ago, and nothing waits for each other for good.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.services.ports.citizen_space import Unlinking
from orchestrator.services.ports.merges import Merging, Proof
from orchestrator.services.ports.sign_in import Outcome
from orchestrator.store.citizen_space import CitizenSpaceTable
from orchestrator.store.connections import Database
from orchestrator.store.merges import MergeTable
from schemas.errors import SamlRefusedError
from schemas.logins import Level, SamlPurpose
from tests.integration.test_sign_in import Desk, franceconnect, local
from tests.plugins.hub import until

pytestmark = pytest.mark.postgres
WAITING = """
SELECT count(*) AS n FROM pg_stat_activity
 WHERE datname = current_database() AND wait_event_type = 'Lock'"""
CITIZEN = "SELECT id FROM citizen WHERE id = %s FOR UPDATE"
BOTH = (Proof.DOCUMENT, Proof.CARD)


def in_turn(database, held, *acts):
    """Start acts that wait for ``held`` (SQL, value), the next once the one before waits; then let go."""
    blocker = database.connect()
    with ThreadPoolExecutor(len(acts)) as pool:
        with blocker.transaction():
            blocker.execute(*held)
            started = []
            for act in acts:
                started.append(pool.submit(act))
                count = len(started)
                until(lambda n=count: database.one(WAITING)["n"] >= n, "it waits")
        outcomes = [each.exception(60) or each.result() for each in started]
    blocker.close()
    return outcomes


@pytest.fixture
def database(database_url):
    """A store that waits for a lock as long as a busy machine needs to let the others queue."""
    opened = Database(database_url, statement_timeout_ms=60_000)
    yield opened
    opened.close()


@pytest.fixture
def desk(database, vault, hub_keys):
    return Desk(database, vault, hub_keys)


@pytest.fixture
def parts(database, vault):
    return {"database": database, "vault": vault}


def unlinking(desk, session, alias):
    row = desk.database.one(
        "SELECT id FROM login WHERE citizen_id = %s AND alias = %s AND valid_to IS NULL",
        (session.citizen_id, alias),
    )
    return Unlinking(
        citizen_id=session.citizen_id, login_id=row["id"], session_id=None, proved_by="other"
    )


def arriving(desk, said, purpose=SamlPurpose.LOGIN, *, session=None, browser="b"):
    """An answer on its way: what takes it in."""
    departure = desk.depart(purpose, browser=browser, session=session)
    message = desk.realm.message(departure, **said)
    return lambda: desk.use.arrive(message, browser=browser)


@pytest.fixture
def linked(desk):
    """Somebody with an account of the realm and FranceConnect behind another account of it."""
    session = desk.session(local(1, email_verified="true"))
    cookie = desk.sign_in(franceconnect(2), SamlPurpose.LINK, session=session).cookie
    return desk.use.session(cookie)


# --- signing in ---------------------------------------------------------------------------------------


def test_a_login_that_is_taken_away_while_it_signs_in_opens_nothing_of_its_citizens(
    desk, linked, parts
):
    space = CitizenSpaceTable(**parts)
    taken = unlinking(desk, linked, "france-connect")

    _, arrived = in_turn(
        desk.database,
        (CITIZEN, (linked.citizen_id,)),
        lambda: space.unlink(taken),
        arriving(desk, franceconnect(2)),
    )

    citizen = f"citizen_id = '{linked.citizen_id}'"
    assert desk.count("web_session", f"ended_at IS NULL AND {citizen}") == 0
    assert desk.count("login", f"alias = 'france-connect' AND valid_to IS NULL AND {citizen}") == 0
    assert desk.use.session(arrived.cookie).citizen_id != linked.citizen_id


def test_who_is_merged_while_they_sign_in_is_the_one_person(desk, parts):
    first = desk.session(local(1)).citizen_id
    second = desk.session(local(2)).citizen_id
    merging = Merging(survivor_id=first, merged_id=second, proofs=BOTH, actor="cli:essai")

    _, arrived = in_turn(
        desk.database,
        (CITIZEN, (second,)),
        lambda: MergeTable(**parts).merge(merging),
        arriving(desk, local(2)),
    )

    assert desk.use.session(arrived.cookie).citizen_id == first


def test_who_is_merged_while_six_equal_fields_find_them_is_not_joined(desk, parts):
    found = desk.session(franceconnect(1)).citizen_id
    other = desk.session(local(2)).citizen_id
    desk.database.run(
        "UPDATE login SET valid_to = parvis_now(), closed_reason = 'unlinked' WHERE citizen_id = %s",
        (found,),
    )
    merging = Merging(survivor_id=other, merged_id=found, proofs=BOTH, actor="cli:essai")

    _, arrived = in_turn(
        desk.database,
        (CITIZEN, (found,)),
        lambda: MergeTable(**parts).merge(merging),
        arriving(desk, franceconnect(3)),
    )

    assert arrived.outcome is Outcome.SIGNED_IN
    assert desk.use.session(arrived.cookie).citizen_id not in {found, other}


def test_two_subjects_of_franceconnect_linked_at_once_to_one_person_are_one(desk):
    one, other = (desk.session(local(1, email_verified="true")) for _ in range(2))

    arrived = in_turn(
        desk.database,
        (CITIZEN, (one.citizen_id,)),
        arriving(desk, franceconnect(2), SamlPurpose.LINK, session=one),
        arriving(desk, franceconnect(3), SamlPurpose.LINK, session=other),
    )

    # the first link ended the other session
    assert arrived[0].outcome is Outcome.LINKED
    assert (type(arrived[1]), str(arrived[1].code)) == (SamlRefusedError, "session_over")
    assert desk.count("login", "alias = 'france-connect' AND valid_to IS NULL") == 1


def test_a_link_and_an_unlink_from_two_sessions_do_not_wait_for_each_other(desk, linked, parts):
    elsewhere = desk.session(local(1, email_verified="true"))
    space = CitizenSpaceTable(**parts)
    taken = unlinking(desk, linked, "france-connect")

    gone, arrived = in_turn(
        desk.database,
        (CITIZEN, (linked.citizen_id,)),
        lambda: space.unlink(taken),
        arriving(
            desk,
            franceconnect(3, alias="france-connect-plus"),
            SamlPurpose.LINK,
            session=elsewhere,
        ),
    )

    assert gone is None
    assert (type(arrived), arrived.code) == (SamlRefusedError, "session_over")


def test_what_may_be_there_once_and_was_written_a_moment_ago_is_decided_by_anew(desk):
    """Rows that come without our locks: the unique index speaks, and the answer is taken in again."""
    citizen = desk.session(local(1)).citizen_id
    blocker = desk.database.connect()
    with ThreadPoolExecutor(1) as pool, blocker.transaction():
        blocker.execute(
            "INSERT INTO login SELECT gen_random_uuid(), issuer, 'france-connect', h.hash, subject,"
            " data_key_id, citizen_id, 2, 'restored', realm_account FROM login,"
            " (SELECT %s::bytea AS hash) h WHERE alias = 'realm'",
            (b"another subject",),
        )
        arrived = pool.submit(arriving(desk, franceconnect(1)))
        until(lambda: desk.database.one(WAITING)["n"] >= 1, "it waits")
        blocker.execute("SELECT 1")
    assert arrived.result(60).outcome is Outcome.UNDER_REVIEW
    blocker.close()
    assert desk.count("login", f"citizen_id = '{citizen}' AND alias = 'france-connect'") == 1


# --- proving once more --------------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", [SamlPurpose.STEP_UP, SamlPurpose.UNLINK])
def test_a_proof_does_not_bring_back_a_login_that_was_taken_away(desk, parts, purpose):
    session = desk.session(franceconnect(1))
    cookie = desk.sign_in(local(1), SamlPurpose.LINK, session=session).cookie
    session = desk.use.session(cookie)
    CitizenSpaceTable(**parts).unlink(unlinking(desk, session, "france-connect"))
    session = desk.session(local(1))

    arrived = desk.sign_in(franceconnect(1), purpose, session=session)

    assert (arrived.outcome, arrived.cookie) == (Outcome.UNDER_REVIEW, None)
    assert desk.count("login", "alias = 'france-connect' AND valid_to IS NULL") == 0
    assert desk.count("identity_case", "rule = 'taken_away'") == 1


def test_a_proof_with_another_subject_of_franceconnect_is_for_a_person_to_decide(desk):
    session = desk.session(franceconnect(1))

    arrived = desk.sign_in(franceconnect(1, fc_sub="another"), SamlPurpose.STEP_UP, session=session)

    assert (arrived.outcome, arrived.cookie) == (Outcome.UNDER_REVIEW, None)
    assert desk.count("identity_case", "rule = 'other_subject'") == 1
    assert desk.count("login") == 3


# --- the realm's account brings FranceConnect along -----------------------------------------------------

PLUS = {"alias": "france-connect-plus", "acr": "eidas2"}


@pytest.mark.parametrize(
    ("vouched_by", "changes"),
    [("france-connect", {"birth_name": "AUTRE"}), ("officer", {"given_names": "Zoé"})],
)
def test_a_known_account_with_somebody_elses_civil_status_is_looked_at_and_nothing_is_written(
    desk, vouched_by, changes
):
    desk.session(franceconnect(1))
    desk.database.run("UPDATE civil_status SET source = %s", (vouched_by,))

    arrived = desk.sign_in(franceconnect(1, fc_sub="plus", **PLUS, **changes))

    assert (arrived.outcome, arrived.cookie) == (Outcome.UNDER_REVIEW, None)
    assert (desk.count("login"), desk.count("civil_status"), desk.count("web_session")) == (3, 6, 1)
    (case,) = desk.database.all("SELECT kind, rule, citizen_id, others FROM identity_case")
    citizen = desk.database.one("SELECT id FROM citizen")["id"]
    assert case == {
        "kind": "review",
        "rule": "other_civil_status",
        "citizen_id": None,
        "others": [citizen],
    }


@pytest.mark.parametrize(
    "first",
    [franceconnect(1), local(1, email_verified="true")],
    ids=["the same person", "nobody yet"],
)
def test_a_known_account_with_an_equal_or_a_first_civil_status_is_joined_by_a_rule(desk, first):
    before = desk.sign_in(first)
    person = desk.use.session(before.cookie).citizen_id
    plus = franceconnect(1, fc_sub="plus", birth_name="Loeuvre", **PLUS)

    session = desk.session(plus)

    assert (session.citizen_id, session.level) == (person, Level.STRONG)
    assert desk.use.session(before.cookie) is None
    assert desk.count("journal_entry", "type = 'identity.linked'") == 1
    assert desk.count("login", "alias = 'france-connect-plus' AND method = 'same_person'") == 1


def test_the_journal_keeps_the_rule_the_levels_and_keyed_digests_of_what_was_shown(desk, vault):
    desk.session(local(1, email_verified="true"))
    desk.session(franceconnect(1, fc_sub="plus", **PLUS))

    row = desk.database.one(
        "SELECT b.id, b.record, k.id AS key_id, k.wrapped FROM journal_entry e"
        "  JOIN journal_body b ON b.id = e.id JOIN data_key k ON k.id = b.data_key_id"
        " WHERE e.type = 'identity.linked'"
    )
    record = vault.open_key(row["key_id"], row["wrapped"]).open_json(row["id"], row["record"])
    shown = {bytes(one["subject_hash"]).hex() for one in desk.database.all("SELECT * FROM login")}
    assert set(record.pop("evidence")) <= shown
    assert desk.count("saml_request", f"id = '{record.pop('conversation')}'") == 1
    assert record == {
        "action": "linked",
        "rule": "known_account",
        "alias": "france-connect-plus",
        "level_before": 0,
        "level": 3,
    }


def test_a_value_nobody_vouches_for_any_more_stands_in_nobodys_way(desk):
    desk.session(franceconnect(1))
    desk.database.run("UPDATE civil_status SET level = 0")

    arrived = desk.sign_in(franceconnect(1, fc_sub="plus", birth_name="AUTRE", **PLUS))

    assert arrived.outcome is Outcome.SIGNED_IN


def test_whoever_is_near_in_two_fields_is_proposed(desk):
    first = desk.session(franceconnect(1, birthdate="1990-04-00")).citizen_id
    desk.database.run("UPDATE login SET valid_to = parvis_now(), closed_reason = 'replaced'")

    second = desk.session(franceconnect(2, given_names="Zoé", birthdate="1990-04-01")).citizen_id

    assert second != first
    (case,) = desk.database.all("SELECT kind, citizen_id, others FROM identity_case")
    assert case == {"kind": "proposed_match", "citizen_id": second, "others": [first]}
