"""Arrays as the shared statements send them arrive as what they were, for every type that is used."""

from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest

from orchestrator.store import effects, transitions
from orchestrator.store.arrays import array, columns_of

pytestmark = pytest.mark.postgres

VALUES = {
    "uuid": [UUID(int=0), None, UUID(int=2**128 - 1)],
    "int": [0, -(2**31), None, 2**31 - 1],
    "bigint": [-(2**63), None, 2**63 - 1],
    "bool": [True, None, False],
    "text": ["", None, 'é"{},\\ NULL\n', "NULL"],
    "bytea": [b"", None, bytes(range(256))],
    "timestamptz": [
        datetime(1970, 1, 1, tzinfo=UTC),
        None,
        datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2000, 1, 1, tzinfo=UTC),
        datetime(2099, 12, 31, 12, 0, 0, 1, tzinfo=UTC),
    ],
}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("taken", [slice(None), slice(1, 2), slice(0)], ids=["all", "null", "none"])
def test_values_arrive_as_they_were(database, kind, taken):
    values = VALUES[kind][taken]
    row = database.one(f"SELECT %(v)b::{kind}[] AS v", {"v": array(kind, values)})
    assert row["v"] == values


def test_a_column_of_nothing_is_of_the_same_type_and_needs_no_statement_of_its_own(database):
    with database.connection() as connection:
        for values in ([None], ["a"], [None, "b"]):
            connection.execute("SELECT %b::text[] AS only_here", (array("text", values),))
        prepared = connection.execute(
            "SELECT count(*) AS n FROM pg_prepared_statements WHERE statement LIKE '%only_here%'"
            " AND statement NOT LIKE '%pg_prepared%'"
        ).fetchone()
    assert prepared["n"] == 1


def test_what_no_column_can_hold_is_refused_and_the_connection_goes_on(database):
    with database.connection() as connection, pytest.raises(psycopg.errors.DataError):
        connection.execute("SELECT %b::text[]", (array("text", ["a\0b"]),))
    with pytest.raises(UnicodeEncodeError):
        array("text", ["\ud800"])
    with pytest.raises(TypeError):
        array("timestamptz", [datetime(2026, 1, 1)])  # noqa: DTZ001 - a time of nowhere
    assert database.one("SELECT 1 AS one")["one"] == 1


def test_every_column_of_the_shared_statements_has_a_type_that_is_known():
    columns = [*transitions._COLUMNS]
    columns += [column for part in effects._PARTS.values() for column in part.columns]
    assert {kind for _, kind in columns} <= set(VALUES)


def test_rows_become_columns_by_their_names(database):
    sent = columns_of((("a", "int"), ("b", "text")), [(1, "x"), (2, None)], prefix="k_")
    row = database.one("SELECT %(k_a)b::int[] AS a, %(k_b)b::text[] AS b", sent)
    assert (row["a"], row["b"]) == ([1, 2], ["x", None])
