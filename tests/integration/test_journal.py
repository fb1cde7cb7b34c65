"""The journal on PostgreSQL: written with what it tells, sealed by one, verified, forgotten and still whole."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import structlog

from orchestrator.store import journal
from orchestrator.store.connections import Database
from orchestrator.store.journal import JournalEntry
from orchestrator.store.journal_chain import JournalRows, SealChore
from orchestrator.store.person_keys import key_of, new_key, pseudonym_of
from orchestrator.store.secrets import SecretRows
from orchestrator.store.vault import ErasedError
from parvis.journal_checkpoints import Checkpoints
from schemas import chain, clock, ids
from tools import parvis_verify

pytestmark = pytest.mark.postgres


@pytest.fixture
def rows(database):
    return JournalRows(database=database)


@pytest.fixture
def tell(database, vault):
    """Write entries as business transactions do."""

    def write(*numbers, citizen=None):
        with database.transaction() as connection:
            own = key_of(connection, vault, citizen) if citizen else None
            key = own or new_key(connection, vault, None)
            subject = pseudonym_of(connection, citizen) if citizen else None
            for number in numbers:
                entry = JournalEntry(
                    type="identity.linked",
                    actor_ref="system",
                    subject_ref=subject,
                    record={"action": "linked", "number": number},
                )
                journal.write(connection, key, entry)

    return write


@pytest.fixture
def citizen(database):
    citizen_id = ids.uuid7()
    database.run("INSERT INTO citizen(id, state) VALUES (%s, 'active')", (citizen_id,))
    return citizen_id


@pytest.fixture
def checkpoints(rows, database, vault, tmp_path):
    return Checkpoints(
        rows=rows,
        secrets=SecretRows(database, vault),
        origin="https://parvis.example.org",
        folder=tmp_path / "journal",
    )


def test_committed_entries_are_sealed_in_order_without_gaps(rows, tell):
    tell(1, 2)
    assert rows.seal() == 2
    tell(3)
    assert (rows.seal(), rows.seal()) == (1, 0)

    assert [link.seq for link in rows.links()] == [1, 2, 3]
    verdict = chain.verify(rows.links())
    assert (verdict.size, verdict.fault, verdict.head) == (3, None, rows.head().hash)


def test_an_entry_whose_transaction_failed_was_never_there(rows, tell, database, vault):
    def fail():
        with database.transaction() as connection:
            entry = JournalEntry(type="identity.linked", actor_ref=None, record={})
            journal.write(connection, new_key(connection, vault, None), entry)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    tell(1)

    assert rows.seal() == 1
    assert [link.seq for link in rows.links()] == [1]


def test_many_sealers_at_once_give_every_place_once(rows, tell, database_url):
    for number in range(30):
        tell(number)

    def seal(_number):
        own = Database(database_url, size=1)
        try:
            return JournalRows(database=own).seal()
        finally:
            own.close()

    with ThreadPoolExecutor(6) as pool:
        done = sum(pool.map(seal, range(12)))
    assert done + rows.seal() == 30
    assert chain.verify(rows.links()).size == 30


def test_more_than_a_page_is_sealed_and_read_whole(rows, tell):
    tell(*range(1100))

    assert rows.seal() == 1100
    assert chain.verify(rows.links()).size == 1100


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE journal_entry SET actor_ref = 'somebody' WHERE seq = 3",
        "UPDATE journal_entry SET at = at + interval '1 microsecond' WHERE seq = 3",
        "DELETE FROM journal_entry WHERE seq = 3",
        "DELETE FROM journal_entry WHERE seq >= 4",
        "DELETE FROM journal_entry",
        "UPDATE journal_entry SET seq = seq + 100 WHERE seq >= 3",
    ],
)
def test_what_is_done_to_the_rows_shows_in_both_verdicts(
    rows, tell, database, checkpoints, tampering
):
    tell(1, 2, 3, 4, 5)
    kept = checkpoints.make()

    database.run(tampering)

    ours = chain.verify(rows.links(), kept)
    theirs = parvis_verify.verify([link.as_json() for link in rows.links()], kept.as_json())
    assert ours.fault is not None
    assert theirs == (ours.size, ours.fault)


def test_a_person_is_forgotten_and_the_chain_still_holds(
    rows, tell, database, vault, checkpoints, citizen
):
    tell(1, citizen=citizen)
    tell(2)
    kept = checkpoints.make()
    read = "SELECT b.id, b.record, k.id AS key, k.wrapped FROM journal_body b JOIN data_key k ON k.id = b.data_key_id"
    before = database.all(f"{read} ORDER BY b.id")
    opened = vault.open_key(before[0]["key"], before[0]["wrapped"])
    assert json.loads(opened.open(before[0]["id"], before[0]["record"]))["number"] == 1

    database.run("DELETE FROM data_key WHERE citizen_id = %s", (citizen,))

    assert len(database.all(read)) == 1, "nothing opens the record any more"
    with pytest.raises(ErasedError):
        vault.new_key().open(before[0]["id"], before[0]["record"])
    database.run("DELETE FROM journal_body WHERE id = %s", (before[0]["id"],))
    assert chain.verify(rows.links(), kept).fault is None


def test_an_entry_that_waits_a_minute_for_its_seal_is_told_once(rows, tell, database):
    chore = SealChore(rows)
    with structlog.testing.capture_logs() as logs:
        tell(1)
        chore()
        database.run("UPDATE journal_entry SET seq = NULL, at = at - interval '61 seconds'")
        chore()
        chore()
    told = [log for log in logs if log["event"] == "journal.unsealed"]
    assert [(log["entries"], log["log_level"]) for log in told] == [(1, "error")]
    assert rows.late() == 0


def test_checkpoints_are_written_daily_and_the_key_stays(rows, tell, checkpoints):
    tell(1)
    rows.seal()
    assert (checkpoints.write_due(), checkpoints.write_due()) == (1, 0)
    first = checkpoints.last()
    assert (first.size, first.is_signed()) == (1, True)

    clock.turn(timedelta(days=1, minutes=1))
    try:
        assert checkpoints.age_seconds() > 86_400
        assert checkpoints.write_due() == 1
    finally:
        clock.turn(timedelta())
    assert len(list(checkpoints.folder.iterdir())) == 2
    assert checkpoints.last().key_id == first.key_id == checkpoints.key_id()


def test_a_checkpoint_file_cut_short_is_passed_over(tell, checkpoints):
    checkpoints.write_due()
    (checkpoints.folder / "checkpoint-9999-01-01-000000000000.json").write_text('{"size"')

    assert checkpoints.last().size == 0


def test_the_command_line_checks_exports_and_refuses(hub_environment, parvis, tmp_path):
    parvis("migrate")
    kept, export = tmp_path / "kept.json", tmp_path / "export.jsonl"
    assert parvis("console", "link")[0] == 0
    code, out, _ = parvis("journal", "checkpoint", str(kept))
    assert (code, "1 écritures" in out) == (0, True), out

    assert parvis("journal", "verify", "--checkpoint", str(kept))[0] == 0
    code, out, _ = parvis("journal", "export", str(export))
    assert code == 0
    assert parvis_verify.main([str(export), str(kept)]) == 0

    longer = json.loads(kept.read_text()) | {"size": 9}
    kept.write_text(json.dumps(longer))
    code, out, _ = parvis("journal", "verify", "--checkpoint", str(kept))
    assert code == 1
    assert "signature" in out
    code, out, _ = parvis("journal", "verify", "--checkpoint", str(export))
    assert code == 78
