import pytest

from orchestrator.store.committer import Committer
from orchestrator.store.intake import PostgresInbox
from orchestrator.store.notifier import Notifier
from orchestrator.store.runs import RunStore, step_row_id
from orchestrator.store.vault import ErasedError
from schemas import ids
from tests.integration.test_runs import arrival, move

pytestmark = pytest.mark.postgres


@pytest.fixture
def stored(database, vault):
    """A run with a name in its data and in a step's output, as it lies in the tables."""
    committer, notifier = Committer(database), Notifier(database)
    PostgresInbox(database, committer, vault, notifier).accept(
        arrival(body=b'{"family_name": "Fictive-Canari"}')
    )
    runs = RunStore(database, committer, vault, notifier)
    run, key = runs.read(database.one("SELECT id FROM run")["id"])
    runs.transit(move(run, output={"family_name": "Fictive-Canari"}), seq=1, key=key, worker="w")
    return runs, run.id, key


def test_no_personal_payload_lies_in_clear(stored, database):
    payloads = database.all(
        "SELECT body AS payload FROM message UNION ALL SELECT data FROM run"
        " UNION ALL SELECT output FROM step"
    )
    assert len(payloads) == 3
    for row in payloads:
        assert b"Fictive" not in bytes(row["payload"])
        assert b"84129" not in bytes(row["payload"])


def test_without_its_data_key_a_person_can_no_longer_be_read(stored, database):
    runs, run_id, _ = stored
    database.run("DELETE FROM data_key")
    run, key = runs.read(run_id)
    assert key is None
    assert run.start.data == {}
    assert run.outputs() == {"announce": {}}


def test_a_payload_moved_to_another_row_does_not_open(stored, database):
    _, run_id, key = stored
    sealed = bytes(database.one("SELECT output FROM step")["output"])
    assert key.open_json(step_row_id(run_id, 1, 1), sealed) == {"family_name": "Fictive-Canari"}
    with pytest.raises(ErasedError):
        key.open_json(ids.uuid7(), sealed)
    with pytest.raises(ErasedError):
        key.open_json(step_row_id(run_id, 2, 1), sealed)


def test_another_master_key_opens_nothing(stored, database):
    from orchestrator.store.vault import Vault

    row = database.one("SELECT id, wrapped FROM data_key")
    with pytest.raises(ErasedError):
        Vault([bytes(32)]).open_key(row["id"], row["wrapped"])


def test_two_master_keys_are_accepted_while_one_replaces_the_other(vault):
    from orchestrator.store.vault import Vault

    old, both = Vault([bytes(32)]), Vault([bytes(range(32)), bytes(32)])
    made = old.new_key()
    assert both.open_key(made.id, made.wrapped).cipher is not None
    fresh = both.new_key()
    assert vault.open_key(fresh.id, fresh.wrapped).cipher is not None
