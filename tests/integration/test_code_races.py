"""A code redeemed while something else happens: a worker, another person, a card, a merge.

The rows about the announced person all become the citizen's, or none; nothing is left behind.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.services.access_codes import Redemption, digest_of
from orchestrator.services.merges import NoSuchCaseError
from orchestrator.services.ports.library_cards import CardOutcome, ProvedRecord
from orchestrator.services.ports.merges import Merging, Proof, Verdict
from orchestrator.store.connections import Database
from orchestrator.store.identity_cases import CaseTable
from orchestrator.store.library import AccessCodeTable
from orchestrator.store.library_cards import CardTable
from orchestrator.store.merges import MergeTable, UnderWayError
from orchestrator.store.redemption import SignedInRedemption
from schemas import ids
from tests.browser.citizen_hub import issue_code
from tests.integration.test_identity_races import CITIZEN, WAITING, in_turn
from tests.integration.test_sign_in import Desk, franceconnect, local
from tests.plugins.hub import until

pytestmark = pytest.mark.postgres
RUN = "SELECT id FROM run WHERE id = %s FOR UPDATE"
BOTH = (Proof.DOCUMENT, Proof.CARD)


class Town:
    """Somebody signed in, and somebody announced whose code is out."""

    def __init__(self, database, vault, keys):
        self.desk = Desk(database, vault, keys)
        self.database, self.keys = database, keys
        self.parts = {"database": database, "vault": vault}
        self.me = self.desk.session(franceconnect(1)).citizen_id
        self.code = self.announce("s-1")
        self.announced = self.of("citizen_id")
        self.run = self.of("run_id")

    def announce(self, subject):
        code = issue_code(self.database, self.keys, subject=subject)
        self.database.run("UPDATE preregistration SET service_id = 'library_a'")
        self.database.run("UPDATE run SET key = %s WHERE key = %s", (f"s {subject}", subject))
        self.database.run("UPDATE preregistration SET source = 's'")
        self.database.run(
            "INSERT INTO citizen(id) SELECT citizen_id FROM preregistration ON CONFLICT DO NOTHING"
        )
        return code

    def of(self, column):
        return self.database.one(f"SELECT {column} FROM preregistration")[column]

    def redeem(self, who=None, code=None):
        use = SignedInRedemption(**self.parts, keys=self.keys)
        return use.redeem(digest_of(self.keys, code or self.code), who or self.me)

    def prove(self, who, record="42"):
        return CardTable(**self.parts, keys=self.keys).link(
            ProvedRecord(citizen_id=who, service_id="library_a", reference=record)
        )

    def add_run(self, *, citizen=None, key="other", status="ready", journey="j"):
        run_id = ids.uuid7()
        self.database.run(
            "INSERT INTO run(id, journey, version, key, status, citizen_id) VALUES (%s, %s, 1, %s, %s, %s)",
            (run_id, journey, key, status, citizen),
        )
        return run_id

    def is_untouched(self):
        return (
            self.of("citizen_id") == self.announced
            and self.database.one("SELECT redeemed_at FROM access_code")["redeemed_at"] is None
            and self.desk.count("account") == 0
        )


@pytest.fixture
def database(database_url):
    """A store that waits for a lock as long as a busy machine needs to let the others queue."""
    opened = Database(database_url, statement_timeout_ms=60_000)
    yield opened
    opened.close()


@pytest.fixture
def town(database, vault, hub_keys):
    return Town(database, vault, hub_keys)


# --- with a worker --------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_signed_in", [True, False])
def test_a_worker_that_ends_the_run_and_somebody_with_its_code_do_not_wait_for_each_other(
    town, is_signed_in
):
    """The worker has locked its run and goes on to revoke the code; the code's holder must not be inside."""
    table = AccessCodeTable(database=town.database, poke=lambda: None)
    redeem = town.redeem if is_signed_in else lambda: table.redeem(digest_of(town.keys, town.code))
    worker = town.database.connect()
    with ThreadPoolExecutor(1) as pool, worker.transaction():
        worker.execute("UPDATE run SET status = 'compensating' WHERE id = %s", (town.run,))
        redeemed = pool.submit(redeem)
        until(lambda: town.database.one(WAITING)["n"] >= 1, "it waits")
        worker.execute(
            "UPDATE preregistration SET state = 'withdrawn' WHERE run_id = %s", (town.run,)
        )
        worker.execute(
            "UPDATE access_code SET expires_at = parvis_now() WHERE run_id = %s", (town.run,)
        )
    assert redeemed.result(60) in {Redemption.REFUSED, False}
    worker.close()


@pytest.mark.parametrize(
    "other", ["in hand", "about to welcome back", "about to withdraw", "the latest of the place"]
)
def test_another_run_about_the_announced_person_in_a_workers_hands_is_waited_for(town, other):
    match other:
        case "in hand":
            town.add_run(citizen=town.announced)
        case "about to welcome back":
            town.database.run("UPDATE run SET ended_at = parvis_now(), status = 'failed'")
            town.add_run(key="s s-1", journey="library.arrival")
        case "about to withdraw":
            town.add_run(key="s s-1", journey="contact.withdrawal")
        case _:
            later = town.add_run()
            town.database.run("UPDATE preregistration SET run_id = %s", (later,))

    assert town.redeem() is Redemption.NOT_YET
    assert town.is_untouched()
    town.database.run("UPDATE run SET status = 'waiting_signal'")
    assert town.redeem() is Redemption.REDEEMED


# --- one record, one holder -----------------------------------------------------------------------------


def test_a_record_whose_card_somebody_proved_is_not_taken_by_a_code(town):
    holder = town.desk.session(local(7, email_verified="true")).citizen_id
    town.database.run("UPDATE preregistration SET external_ref = '42'")
    assert town.prove(holder) is CardOutcome.LINKED

    assert town.redeem() is Redemption.UNDER_REVIEW
    (case,) = town.database.all("SELECT rule, citizen_id, others FROM identity_case")
    assert case == {"rule": "card_elsewhere", "citizen_id": town.me, "others": [holder]}
    assert town.of("citizen_id") == town.announced
    assert town.desk.count("access_code", "redeemed_at IS NULL") == 1


def test_the_code_of_a_record_whose_card_is_mine_completes_my_account(town):
    town.database.run("UPDATE preregistration SET external_ref = '42'")
    town.prove(town.me)

    assert town.redeem() is Redemption.REDEEMED
    (account,) = town.database.all("SELECT level, method, preregistration_id FROM account")
    assert account == {"level": 2, "method": "card", "preregistration_id": town.of("id")}


@pytest.mark.parametrize("record", [None, "41"])
def test_a_code_beside_the_card_of_another_record_is_for_a_person_to_decide(town, record):
    town.database.run("UPDATE preregistration SET external_ref = %s", (record,))
    town.prove(town.me)

    assert town.redeem() is Redemption.ALREADY_THERE
    assert town.of("citizen_id") == town.announced
    assert town.desk.count("account") == 1


@pytest.mark.parametrize("first", ["card", "code"])
def test_a_card_and_a_code_of_one_record_at_once_give_it_to_one(town, first):
    """Both have looked whether somebody holds the record before either writes."""
    other = town.desk.session(local(7, email_verified="true")).citizen_id
    town.database.run("UPDATE preregistration SET external_ref = '42'")
    acts = {"card": lambda: town.prove(other), "code": town.redeem}
    order = [acts.pop(first), *acts.values()]

    outcomes = in_turn(town.database, ("LOCK TABLE journal_entry IN SHARE MODE", None), *order)

    assert town.desk.count("account", "closed_at IS NULL") == 1
    assert {outcomes[0]} <= {CardOutcome.LINKED, Redemption.REDEEMED}
    assert {outcomes[1]} <= {CardOutcome.UNDER_REVIEW, Redemption.UNDER_REVIEW}
    assert town.desk.count("identity_case", "rule = 'card_elsewhere'") == 1


# --- with an agent ------------------------------------------------------------------------------------


def test_a_case_closed_by_another_agent_a_moment_ago_merges_nobody(town):
    other = town.desk.session(franceconnect(2, birth_name="MARTIN")).citizen_id
    case_id = town.database.one("SELECT id FROM identity_case")["id"]
    merging = Merging(
        survivor_id=town.me, merged_id=other, proofs=BOTH, actor="cli:essai", case_id=case_id
    )
    cases = CaseTable(**town.parts)

    closed, merged = in_turn(
        town.database,
        (CITIZEN, (town.me,)),
        lambda: cases.close(case_id, Verdict.APART, actor="cli:autre"),
        lambda: MergeTable(**town.parts).merge(merging),
    )

    assert closed is True
    assert type(merged) is NoSuchCaseError
    assert town.desk.count("citizen", "merged_into IS NOT NULL") == 0


def test_a_merge_and_a_worker_do_not_wait_for_each_other(town):
    """The worker has locked its run; the consent it records counts up on the person."""
    other = town.desk.session(local(2)).citizen_id
    run_id = town.add_run(citizen=other)
    merging = Merging(survivor_id=town.me, merged_id=other, proofs=BOTH, actor="cli:essai")
    worker = town.database.connect()
    with ThreadPoolExecutor(1) as pool, worker.transaction():
        worker.execute(RUN, (run_id,))
        merged = pool.submit(MergeTable(**town.parts).merge, merging)
        until(lambda: town.database.one(WAITING)["n"] >= 1, "it waits")
        worker.execute("UPDATE citizen SET consents = consents + 1 WHERE id = %s", (other,))
    assert type(merged.exception(60)) is UnderWayError
    worker.close()


def test_an_undo_locks_two_people_in_the_order_of_their_ids_like_everybody(town):
    survivor = town.desk.session(local(2)).citizen_id
    assert survivor > town.me
    merging = Merging(survivor_id=survivor, merged_id=town.me, proofs=BOTH, actor="cli:essai")
    table = MergeTable(**town.parts)
    made = table.merge(merging)
    other = town.database.connect()
    with ThreadPoolExecutor(1) as pool, other.transaction():
        other.execute(CITIZEN, (town.me,))
        undone = pool.submit(table.undo, made, actor="cli:essai")
        until(lambda: town.database.one(WAITING)["n"] >= 1, "it waits")
        other.execute(CITIZEN, (survivor,))
    assert undone.result(60) is None
    other.close()


@pytest.mark.parametrize("journey", ["library.arrival", "contact.withdrawal"])
def test_a_run_that_is_about_to_speak_of_somebody_keeps_two_people_apart(town, journey):
    other = town.desk.session(local(2)).citizen_id
    assert town.redeem(other) is Redemption.REDEEMED
    town.database.run("UPDATE run SET status = 'done', ended_at = parvis_now()")
    town.add_run(key="s s-1", journey=journey)
    merging = Merging(survivor_id=town.me, merged_id=other, proofs=BOTH, actor="cli:essai")

    with pytest.raises(UnderWayError):
        MergeTable(**town.parts).merge(merging)
