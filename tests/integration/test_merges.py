"""What agents decide: two people made one and two again, cases closed, proofs seen at a desk."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.services.merges import (
    Merges,
    NobodysReferenceError,
    NoSuchCaseError,
    TooFewProofsError,
)
from orchestrator.services.ports.merges import Merging, Proof, Verdict
from orchestrator.services.ports.sign_in import Outcome
from orchestrator.store.forgetting import forget
from orchestrator.store.identity_cases import CaseTable, NothingReplacedError
from orchestrator.store.merges import (
    MergeTable,
    NoSuchMergeError,
    NotLastMergeError,
    NotTwoPeopleError,
    TwoAccountsError,
    UnderWayError,
)
from orchestrator.store.person_keys import key_of, pseudonym_of
from schemas import ids
from schemas.errors import InvalidPayloadError
from schemas.logins import Level
from tests.integration.test_sign_in import Desk, franceconnect, local

pytestmark = pytest.mark.postgres
TABLES = {
    "citizen": "id, state, merged_into",
    "login": "id, citizen_id, level, valid_to IS NULL, closed_reason",
    "account": "id, citizen_id, service_id, level",
    "preregistration": "id, citizen_id",
    "run": "id, citizen_id, status",
    "notification": "id, citizen_id",
    "pseudonym": "citizen_id, service, pseudonym",
    "consent_record": "record_id, subject_ref, event_type",
    "interest": "citizen_id, theme",
    "civil_status": "id, citizen_id, field, level, closed_at",
    "civil_status_key": "citizen_id, left_out, digest",
}
BOTH = (Proof.DOCUMENT, Proof.CARD)


@pytest.fixture
def desk(database, vault, hub_keys):
    return Desk(database, vault, hub_keys)


@pytest.fixture
def merges(database, vault):
    parts = {"database": database, "vault": vault}
    return Merges(rows=MergeTable(**parts), cases=CaseTable(**parts))


class Town:
    """Two people with all that people may have."""

    def __init__(self, desk, vault):
        self.desk, self.database, self.vault = desk, desk.database, vault
        self.first = desk.session(franceconnect(1)).citizen_id
        self.second = desk.session(franceconnect(2, birth_name="MARTIN")).citizen_id
        for number, one in enumerate((self.first, self.second)):
            self.furnish(one, number)
        (self.case,) = (row["id"] for row in self.database.all("SELECT id FROM identity_case"))

    def furnish(self, citizen, number):
        self.add_run(citizen, number)
        run = self.database.one("SELECT id FROM run WHERE citizen_id = %s", (citizen,))["id"]
        self.database.run(
            "INSERT INTO preregistration(id, source, subject, citizen_id, run_id, service_id, our_ref,"
            " expires_at) VALUES (gen_random_uuid(), 's', %s, %s, %s, %s, %s, parvis_now())",
            (f"s-{number}", citizen, run, f"library_{number}", f"PV-{number}"),
        )
        self.database.run(
            "INSERT INTO account(id, citizen_id, service_id, preregistration_id, level, method)"
            " SELECT gen_random_uuid(), citizen_id, service_id, id, 1, 'access_code'"
            " FROM preregistration WHERE our_ref = %s",
            (f"PV-{number}",),
        )
        self.database.run(
            "INSERT INTO notification(id, run_id, citizen_id, template, language, channel, purpose,"
            " status, profile) VALUES (gen_random_uuid(), %s, %s, 't', 'fr', 'sms', 'p', 'sent', 'x')",
            (run, citizen),
        )
        for theme in ("cinema", f"theme_{number}"):
            self.database.run(
                "INSERT INTO interest(citizen_id, theme) VALUES (%s, %s)", (citizen, theme)
            )
        with self.database.transaction() as connection:
            for service in ("museum", f"library_{number}"):
                pseudonym_of(connection, citizen, service)
        self.consent(citizen, "given")

    def add_run(self, citizen, number, status="waiting_signal"):
        self.database.run(
            "INSERT INTO run(id, journey, version, key, status, citizen_id)"
            " VALUES (gen_random_uuid(), 'j', 1, %s, %s, %s)",
            (f"key-{number}", status, citizen),
        )

    def consent(self, citizen, event_type):
        with self.database.transaction() as connection:
            ref = pseudonym_of(connection, citizen)
        self.database.run(
            "INSERT INTO consent_record(record_id, subject_ref, controller, purposes, recipients,"
            " notice_version, notice_sha256, locale, ui_evidence, collected_by, event_type, event_time)"
            " VALUES (gen_random_uuid(), %s, 'c', '{library.preregistration}', '{}', 'v', 's', 'fr',"
            " '{}', 'p', %s, parvis_now())",
            (ref, event_type),
        )

    def rows(self):
        return {
            table: sorted(map(str, self.database.all(f"SELECT {columns} FROM {table}")))
            for table, columns in TABLES.items()
        }

    def owned(self, table, citizen, where="true"):
        return self.desk.count(table, f"citizen_id = '{citizen}' AND {where}")

    def last_word(self, citizen):
        return self.database.one(
            "SELECT event_type FROM consent_record c JOIN pseudonym p ON p.pseudonym = c.subject_ref"
            " AND p.service = 'journal' WHERE p.citizen_id = %s ORDER BY event_time DESC LIMIT 1",
            (citizen,),
        )["event_type"]


@pytest.fixture
def town(desk, vault):
    return Town(desk, vault)


def merge(merges, town):
    return merges.merge(town.case, proofs=BOTH, actor="cli:essai")


# --- one person -------------------------------------------------------------------------------------


def test_all_that_was_the_others_is_the_one_persons(merges, town):
    merge(merges, town)

    for table, count in (("account", 2), ("preregistration", 2), ("run", 2), ("notification", 2)):
        assert town.owned(table, town.first) == count, table
        assert town.owned(table, town.second) == 0, table
    assert town.owned("interest", town.first) == 3
    assert town.desk.session(franceconnect(2, birth_name="MARTIN")).citizen_id == town.first
    services = "service IN ('library_0', 'library_1', 'museum')"
    assert town.owned("pseudonym", town.first, services) == 3
    assert town.owned("pseudonym", town.second, services) == 1, "the museum knows two people still"
    consents = town.database.one(
        "SELECT count(*) AS n FROM consent_record c JOIN pseudonym p ON p.pseudonym = c.subject_ref"
        " WHERE p.citizen_id = %s",
        (town.first,),
    )
    assert consents["n"] == 2


def test_of_two_subjects_of_franceconnect_the_one_used_last_stays(merges, town):
    merge(merges, town)

    live = town.database.all(
        "SELECT citizen_id, closed_reason, valid_to IS NULL AS live FROM login"
        " WHERE alias = 'france-connect' ORDER BY id"
    )
    assert [row["live"] for row in live] == [False, True]
    assert live[0]["closed_reason"] == "merged"
    assert live[1]["citizen_id"] == town.first
    assert town.desk.sign_in(franceconnect(1)).outcome is Outcome.UNDER_REVIEW


def test_every_session_of_both_ends(merges, desk, town):
    cookies = [desk.sign_in(franceconnect(1)).cookie]
    cookies.append(desk.sign_in(franceconnect(2, birth_name="MARTIN")).cookie)

    made = merge(merges, town)
    assert [desk.use.session(one) for one in cookies] == [None, None]
    cookie = desk.sign_in(franceconnect(2, birth_name="MARTIN")).cookie
    merges.undo(made, actor="cli:essai")
    assert desk.use.session(cookie) is None


def test_what_is_written_while_one_never_hangs_on_a_key_that_may_leave(merges, town, vault):
    def keys_of(citizen):
        rows = town.database.all("SELECT id FROM data_key WHERE citizen_id = %s", (citizen,))
        return {row["id"] for row in rows}

    theirs = keys_of(town.second)
    made = merge(merges, town)
    with town.database.transaction() as connection:
        newest = key_of(connection, vault, town.first).id

    assert theirs < keys_of(town.first)
    assert newest not in theirs
    merges.undo(made, actor="cli:essai")
    assert theirs <= keys_of(town.second)
    assert newest in keys_of(town.first)


def test_both_are_told_in_the_journal_and_nobody_is_named(merges, town):
    merges.undo(merge(merges, town), actor="cli:essai")

    rows = town.database.all(
        "SELECT type, actor_ref, count(DISTINCT subject_ref) AS people FROM journal_entry"
        " WHERE type LIKE 'identity.merge%%' GROUP BY 1, 2 ORDER BY 1"
    )
    assert [(row["type"], row["actor_ref"], row["people"]) for row in rows] == [
        ("identity.merge_undone", "cli:essai", 2),
        ("identity.merged", "cli:essai", 2),
    ]
    moved = str(town.database.one("SELECT moved FROM merge")["moved"])
    for clear in ("cinema", "theme_", "sub-", "user-", "MARTIN"):
        assert clear not in moved


@pytest.mark.parametrize("proofs", [(), (Proof.CARD,), (Proof.CARD, Proof.CARD)])
def test_two_kinds_of_proof_are_wanted(merges, town, proofs):
    before = town.rows()

    with pytest.raises(TooFewProofsError):
        merges.merge(town.case, proofs=proofs, actor="cli:essai")
    assert town.rows() == before


def test_a_case_merges_once(merges, town):
    merge(merges, town)

    with pytest.raises(NoSuchCaseError):
        merge(merges, town)
    assert not merges.waiting()


def test_two_agents_at_once_merge_once(database, vault, town):
    rows = MergeTable(database=database, vault=vault)
    pairs = [(town.first, town.second), (town.second, town.first)]

    def merge_them(pair):
        merging = Merging(survivor_id=pair[0], merged_id=pair[1], proofs=BOTH, actor="cli:essai")
        try:
            return rows.merge(merging)
        except NotTwoPeopleError:
            return None

    with ThreadPoolExecutor(2) as pool:
        assert sum(one is not None for one in pool.map(merge_them, pairs)) == 1
    assert town.desk.count("citizen", "merged_into IS NOT NULL") == 1


def test_a_run_in_a_workers_hands_keeps_two_people_apart(merges, town):
    town.add_run(town.second, 9, status="ready")
    before = town.rows()

    with pytest.raises(UnderWayError):
        merge(merges, town)
    assert town.rows() == before


def test_two_accounts_in_one_service_are_settled_first(merges, town):
    town.database.run("UPDATE account SET service_id = 'library_0'")
    before = town.rows()

    with pytest.raises(TwoAccountsError):
        merge(merges, town)
    assert town.rows() == before


# --- two people again --------------------------------------------------------------------------------


def test_undone_every_row_is_as_it_was(merges, town):
    before = town.rows()

    merges.undo(merge(merges, town), actor="cli:essai")

    assert town.rows() == before
    assert town.desk.session(franceconnect(1)).citizen_id == town.first
    assert town.desk.session(franceconnect(2, birth_name="MARTIN")).citizen_id == town.second


def test_what_was_withdrawn_while_one_is_withdrawn_for_both(merges, town):
    made = merge(merges, town)
    town.consent(town.first, "withdrawn")
    town.database.run(
        "DELETE FROM interest WHERE citizen_id = %s AND theme = 'theme_1'", (town.first,)
    )

    merges.undo(made, actor="cli:essai")

    assert town.last_word(town.first) == "withdrawn"
    assert town.last_word(town.second) == "withdrawn"
    assert town.owned("interest", town.second) == 1


def test_who_read_consents_a_moment_ago_asks_again(merges, town):
    def counted():
        rows = town.database.all("SELECT id, consents FROM citizen")
        return {row["id"]: row["consents"] for row in rows}

    before = counted()
    made = merge(merges, town)
    between = counted()
    merges.undo(made, actor="cli:essai")

    for one in (town.first, town.second):
        assert before[one] < between[one] < counted()[one]


def test_what_the_others_login_vouched_for_does_not_stay(merges, town):
    made = merge(merges, town)
    town.desk.session(franceconnect(2, birth_name="MARTIN"))
    vouched = town.database.one("SELECT value FROM civil_status WHERE closed_at IS NULL LIMIT 1")
    assert vouched

    merges.undo(made, actor="cli:essai")

    assert not town.database.all(
        "SELECT FROM civil_status v JOIN login l ON l.id = v.login_id"
        " WHERE v.closed_at IS NULL AND v.citizen_id <> l.citizen_id"
    )
    assert town.owned("civil_status_key", town.first) == 0


def test_thirty_days_later_it_stays(merges, town):
    made = merge(merges, town)
    assert [one.id for one in merges.recent()] == [made]
    town.database.run("UPDATE merge SET undo_until = parvis_now()")

    assert merges.recent() == []
    with pytest.raises(NoSuchMergeError):
        merges.undo(made, actor="cli:essai")


def test_it_is_undone_once(merges, town):
    made = merge(merges, town)
    merges.undo(made, actor="cli:essai")

    with pytest.raises(NoSuchMergeError):
        merges.undo(made, actor="cli:essai")


def test_the_later_of_two_merges_is_undone_first(database, vault, merges, town):
    before = town.rows()
    first = merge(merges, town)
    third = town.desk.session(local(3)).citizen_id
    rows = MergeTable(database=database, vault=vault)
    merging = Merging(survivor_id=third, merged_id=town.first, proofs=BOTH, actor="cli:essai")
    second = rows.merge(merging)

    with pytest.raises(NotLastMergeError):
        rows.undo(first, actor="cli:essai")
    rows.undo(second, actor="cli:essai")
    rows.undo(first, actor="cli:essai")
    assert {
        table: [one for one in before[table] if one not in rows]
        for table, rows in town.rows().items()
    } == {table: [] for table in TABLES}


def test_an_old_subject_that_somebody_else_holds_now_is_not_given_back(merges, town):
    made = merge(merges, town)
    town.database.run(
        "INSERT INTO login SELECT gen_random_uuid(), issuer, alias, subject_hash, subject, data_key_id,"
        " gen_random_uuid(), level, method, realm_account FROM login WHERE closed_reason = 'merged'"
    )
    before = town.rows()

    with pytest.raises(NotLastMergeError):
        merges.undo(made, actor="cli:essai")
    assert town.rows() == before


# --- cases --------------------------------------------------------------------------------------------


def test_a_case_shows_nobody(merges, town):
    (case,) = merges.waiting()

    assert (case.kind, case.rule, case.people) == ("proposed_match", "other_subject", 2)
    shown = repr(case)
    for clear in (str(town.first), str(town.second), "MARTIN", "sub-"):
        assert clear not in shown


def test_a_case_that_waits_is_not_opened_twice(desk):
    desk.session(franceconnect(1))
    for _ in range(3):
        assert desk.sign_in(franceconnect(2)).outcome is Outcome.UNDER_REVIEW

    assert desk.count("identity_case") == 1
    assert desk.count("journal_entry", "type = 'identity.case_opened'") == 1


def test_people_of_one_name_and_day_are_two_once_an_agent_has_looked(desk, merges):
    first = desk.session(franceconnect(1)).citizen_id
    desk.sign_in(franceconnect(2))
    (case,) = merges.waiting()

    merges.close(case.id, Verdict.APART, actor="cli:essai")

    second = desk.session(franceconnect(2))
    assert second.citizen_id != first
    assert desk.session(franceconnect(1)).citizen_id == first
    assert not merges.waiting()
    assert desk.sign_in(franceconnect(3)).outcome is Outcome.UNDER_REVIEW, "a third is a third"


def test_a_subject_that_took_the_place_of_another_is_the_same_person(desk, merges):
    before = desk.sign_in(franceconnect(1))
    person = desk.use.session(before.cookie).citizen_id
    desk.sign_in(franceconnect(2))
    (case,) = merges.waiting()

    merges.close(case.id, Verdict.REPLACED, actor="cli:essai")

    assert desk.use.session(before.cookie) is None
    assert desk.session(franceconnect(2)).citizen_id == person
    assert desk.count("login", "alias = 'france-connect' AND closed_reason = 'replaced'") == 1


def test_a_corrected_civil_status_with_another_subject_is_the_same_person_once_an_agent_said_so(
    desk, merges
):
    person = desk.session(franceconnect(1)).citizen_id
    corrected = franceconnect(1, fc_sub="another", birth_name="CORRIGÉ")
    assert desk.sign_in(corrected).outcome is Outcome.UNDER_REVIEW
    (case,) = merges.waiting()

    merges.close(case.id, Verdict.REPLACED, actor="cli:essai")

    assert desk.session(corrected).citizen_id == person
    assert desk.sign_in(franceconnect(1)).outcome is Outcome.UNDER_REVIEW


def test_a_second_door_of_another_civil_status_is_the_same_persons_once_an_agent_said_so(
    desk, merges
):
    person = desk.session(franceconnect(1)).citizen_id
    plus = franceconnect(
        1, fc_sub="plus", alias="france-connect-plus", acr="eidas2", birth_name="CORRIGÉ"
    )
    assert desk.sign_in(plus).outcome is Outcome.UNDER_REVIEW
    (case,) = merges.waiting()

    merges.close(case.id, Verdict.REPLACED, actor="cli:essai")

    assert desk.session(plus).citizen_id == person
    assert desk.session(franceconnect(1)).citizen_id == person


def test_only_a_case_about_one_subject_and_another_is_a_replacement(merges, town):
    with pytest.raises(NothingReplacedError):
        merges.close(town.case, Verdict.REPLACED, actor="cli:essai")
    assert len(merges.waiting()) == 1


def test_a_case_is_closed_once_and_by_its_id(merges, town):
    merges.close(town.case, Verdict.SETTLED, actor="cli:essai")

    for case_id in (town.case, ids.uuid7()):
        with pytest.raises(NoSuchCaseError):
            merges.close(case_id, Verdict.APART, actor="cli:essai")
    assert town.desk.count("journal_entry", "type = 'identity.case_closed'") == 1


def test_a_case_about_one_person_merges_nobody(desk, merges):
    desk.session(franceconnect(1))
    desk.sign_in(franceconnect(2))
    (case,) = merges.waiting()

    with pytest.raises(NoSuchCaseError):
        merges.merge(case.id, proofs=BOTH, actor="cli:essai")


def test_what_was_decided_and_closed_is_forgotten_after_twelve_months(merges, town, vault):
    merges.close(town.case, Verdict.SETTLED, actor="cli:essai")
    town.database.run("UPDATE login SET valid_to = parvis_now() WHERE alias = 'france-connect'")
    forget(town.database, vault)
    assert town.desk.count("identity_case") == 1
    assert town.desk.count("login", "alias = 'france-connect'") == 2

    town.database.run("UPDATE identity_case SET closed_at = closed_at - interval '366 days'")
    town.database.run("UPDATE login SET valid_to = valid_to - interval '366 days'")
    forget(town.database, vault)
    assert town.desk.count("identity_case") == 0
    assert town.desk.count("login", "alias = 'france-connect'") == 0


# --- the desk -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proof", "level"), [(Proof.DOCUMENT, Level.SEEN), (Proof.CARD, Level.ACCOUNT_PROVED)]
)
def test_what_an_agent_saw_raises_that_account_alone(merges, town, proof, level):
    assert merges.confirm("PV-0", proof, actor="cli:essai") is level

    raised = town.database.all("SELECT service_id, method FROM account WHERE level = %s", (level,))
    assert raised == [{"service_id": "library_0", "method": "desk"}]
    assert town.desk.count("login", "level > 2") == 0
    assert town.desk.count("journal_entry", "type = 'identity.account_linked'") == 1


def test_a_weaker_proof_takes_nothing_back(merges, town):
    merges.confirm("PV-0", Proof.DOCUMENT, actor="cli:essai")
    merges.confirm("PV-0", Proof.CARD, actor="cli:essai")

    assert town.desk.count("account", "level = 4") == 1


def test_what_nobody_holds_is_not_confirmed(merges, town):
    town.database.run("UPDATE account SET closed_at = parvis_now() WHERE service_id = 'library_0'")
    town.database.run(  # a card of another record, in the same library
        "INSERT INTO account(id, citizen_id, service_id, level, method)"
        " VALUES (gen_random_uuid(), %s, 'library_0', 2, 'card')",
        (town.first,),
    )
    for our_ref in ("PV-0", "PV-unknown", ""):
        with pytest.raises(NobodysReferenceError):
            merges.confirm(our_ref, Proof.DOCUMENT, actor="cli:essai")


@pytest.mark.parametrize("proof", [Proof.LOGIN, Proof.POST])
def test_what_cannot_be_shown_at_a_desk_is_none(merges, town, proof):
    with pytest.raises(InvalidPayloadError):
        merges.confirm("PV-0", proof, actor="cli:essai")
