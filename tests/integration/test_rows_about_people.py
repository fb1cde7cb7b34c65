"""What becomes of every row about a person when a code moves them, when two are merged, and parted again."""

import pytest
from psycopg.types.json import Jsonb

from orchestrator.services.access_codes import Redemption
from orchestrator.services.ports.library_cards import CardOutcome
from orchestrator.services.ports.merges import Merging
from orchestrator.store.merges import MergeTable, UnderWayError
from orchestrator.store.person_keys import new_key, pseudonym_of
from tests.integration.test_code_races import BOTH, Town
from tests.integration.test_sign_in import local

pytestmark = pytest.mark.postgres


@pytest.fixture
def town(database, vault, hub_keys):
    return Town(database, vault, hub_keys)


# what becomes of every column that can name a person: when the code of somebody announced is redeemed,
# and when somebody is merged into another
MOVES = "moved", "moved"
NONE = "none: nobody has signed in as them"
KEYED = "readable by the key, which is moved", "readable by the key, which is moved"
PEOPLE = {
    "account.citizen_id": (NONE, "moved while open"),
    "citizen.merged_into": (NONE, "names who stays"),
    "civil_status.citizen_id": (NONE, "stays: the other's own is as good"),
    "civil_status_key.citizen_id": (NONE, "stays: whoever is merged is no candidate"),
    "consent_record.subject_ref": MOVES,
    "data_key.citizen_id": MOVES,
    "identity_case.citizen_id": (NONE, "stays: tells what was decided"),
    "identity_case.others": ("moved", "stays: tells what was decided"),
    "interest.citizen_id": ("moved", "copied: who had which is known again"),
    "journal_entry.subject_ref": ("stays: its record's key is moved",) * 2,
    "login.citizen_id": (NONE, "moved while open"),
    "merge.merged_id": (NONE, "tells the merge"),
    "merge.survivor_id": (NONE, "tells the merge"),
    "notification.citizen_id": MOVES,
    "preregistration.citizen_id": MOVES,
    "pseudonym.citizen_id": ("moved; the journal's goes", "moved unless both have one there"),
    "run.citizen_id": MOVES,
    "web_session.citizen_id": (NONE, "ended"),
    **{
        f"{table}.data_key_id": KEYED
        for table in (
            *("account", "civil_status", "exchange", "journal_body", "login", "message", "run"),
            "signup",
        )
    },
}
NAMES_PEOPLE = """
SELECT table_name || '.' || column_name AS name FROM information_schema.columns
 WHERE table_schema = 'public' AND table_name NOT IN
       (SELECT inhrelid::regclass::text FROM pg_inherits)
   AND (column_name LIKE '%citizen%' OR column_name LIKE '%subject_ref%'
   OR column_name IN ('data_key_id', 'merged_into', 'merged_id', 'survivor_id', 'others'))"""
STAYS = {name.partition(".")[0] for name, (_, merged) in PEOPLE.items() if merged not in MOVES} - {
    *("exchange", "journal_body", "journal_entry", "message", "run", "signup")
}
TABLES = """
SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"""


def test_every_column_that_names_a_person_is_thought_of(database):
    assert {row["name"] for row in database.all(NAMES_PEOPLE)} == set(PEOPLE)


def tables_with(database, value):
    """The tables that say a value anywhere."""
    return {
        table["name"]
        for table in database.all(TABLES)
        if database.all(
            f"SELECT FROM {table['name']} t WHERE position(%s in t::text) > 0 LIMIT 1", (value,)
        )
    }


def furnish(town):
    """The announced person has a row wherever one can have a row."""
    who, run = town.announced, town.run
    with town.database.transaction() as connection:
        refs = [pseudonym_of(connection, who, service) for service in ("journal", "library_a")]
        new_key(connection, town.parts["vault"], who)
    town.database.run("INSERT INTO interest(citizen_id, theme) VALUES (%s, 'cinema')", (who,))
    town.database.run("UPDATE run SET citizen_id = %s WHERE id = %s", (who, run))
    town.database.run(
        "INSERT INTO notification(id, run_id, citizen_id, template, language, channel, purpose, status,"
        " profile) VALUES (gen_random_uuid(), %s, %s, 't', 'fr', 'sms', 'p', 'sent', 'x')",
        (run, who),
    )
    town.database.run(
        "INSERT INTO consent_record(record_id, subject_ref, controller, purposes, recipients,"
        " notice_version, notice_sha256, locale, ui_evidence, collected_by, event_type, event_time)"
        " VALUES (gen_random_uuid(), %s, 'c', '{library.preregistration}', '{}', 'v', 's', 'fr', %s,"
        " 'p', 'given', parvis_now())",
        (refs[0], Jsonb({})),
    )
    for citizen in (town.me, None):
        town.database.run(
            "INSERT INTO identity_case(id, kind, rule, citizen_id, others)"
            " VALUES (gen_random_uuid(), 'review', 'account_exists', %s, %s)",
            (citizen, [who]),
        )
    return str(who), refs[0]


def test_after_a_code_was_redeemed_no_row_anywhere_names_the_announced_person(town):
    named = furnish(town)

    assert town.redeem() is Redemption.REDEEMED

    assert not set.union(*(tables_with(town.database, value) for value in named))
    cases = town.database.all("SELECT closed_at IS NULL AS is_open, others FROM identity_case")
    assert sorted(row["is_open"] for row in cases) == [False, True]
    assert all(row["others"] == [town.me] for row in cases)


def merged(town, other):
    merging = Merging(survivor_id=town.me, merged_id=other, proofs=BOTH, actor="cli:essai")
    return MergeTable(**town.parts).merge(merging)


def test_a_merge_leaves_only_what_is_meant_to_stay_with_the_other(town):
    other = town.desk.session(local(2, email_verified="true")).citizen_id
    furnish(town)
    assert town.redeem(other) is Redemption.REDEEMED
    town.database.run("UPDATE run SET status = 'done', ended_at = parvis_now()")
    assert tables_with(town.database, str(other)) > STAYS - {
        "civil_status",
        "civil_status_key",
        "merge",
    }

    merged(town, other)

    assert tables_with(town.database, str(other)) <= STAYS
    for table, still in (
        ("login", "valid_to"),
        ("account", "closed_at"),
        ("web_session", "ended_at"),
    ):
        assert town.desk.count(table, f"citizen_id = '{other}' AND {still} IS NULL") == 0


def test_what_was_begun_since_about_a_place_that_goes_back_goes_back_too(town):
    other = town.desk.session(local(2)).citizen_id
    assert town.redeem(other) is Redemption.REDEEMED
    town.database.run("UPDATE run SET status = 'done', ended_at = parvis_now()")
    made = merged(town, other)
    since = town.add_run(citizen=town.me, key="s s-1", status="ready", journey="library.arrival")
    mine = town.add_run(citizen=town.me, key="s s-9", status="ready", journey="library.arrival")
    with town.database.transaction() as connection:
        key = new_key(connection, town.parts["vault"], town.me)
    town.database.run("UPDATE run SET data_key_id = %s WHERE id = %s", (key.id, since))
    table = MergeTable(**town.parts)
    with pytest.raises(UnderWayError):
        table.undo(made, actor="cli:essai")

    town.database.run("UPDATE run SET status = 'waiting_signal' WHERE id = %s", (since,))
    table.undo(made, actor="cli:essai")

    whose = {row["id"]: row["citizen_id"] for row in town.database.all("SELECT * FROM run")}
    assert (whose[since], whose[mine]) == (other, town.me)
    keys = {row["id"]: row["citizen_id"] for row in town.database.all("SELECT * FROM data_key")}
    assert keys[key.id] == other


def test_a_card_proved_again_while_two_were_one_goes_back_sealed_for_its_person(town):
    other = town.desk.session(local(2, email_verified="true")).citizen_id
    assert town.prove(other) is CardOutcome.LINKED
    made = merged(town, other)
    assert town.prove(town.me) is CardOutcome.LINKED

    MergeTable(**town.parts).undo(made, actor="cli:essai")

    (row,) = town.database.all(
        "SELECT a.id, a.citizen_id, a.reference, k.id AS key_id, k.citizen_id AS key_of, k.wrapped"
        "  FROM account a JOIN data_key k ON k.id = a.data_key_id"
    )
    assert (row["citizen_id"], row["key_of"]) == (other, other)
    key = town.parts["vault"].open_key(row["key_id"], bytes(row["wrapped"]))
    assert key.open_json(row["id"], bytes(row["reference"])) == "42"
