"""One dialect everywhere: SQL that PostgreSQL 15 and the wheel's both read, and our own clock."""

import ast
import re

import pytest

from tests.architecture.tree import files, name_of, python, syntax, text

STORE = "orchestrator/store"
# newer than PostgreSQL 15, or from an extension the wheel has not
BANNED = (
    "uuidv7",
    "uuidv4",
    "uuid_extract_timestamp",
    "any_value",
    "json_table",
    "json_scalar",
    "json_serialize",
    "json_exists",
    "json_value",
    "json_query",
    "array_sort",
    "array_reverse",
    "array_shuffle",
    "array_sample",
    "random_normal",
    "casefold",
    "crc32",
    "unaccent",
    "similarity",
    "gen_random_bytes",
    "digest",
    "crypt",
    "virtual",
)
CLOCKS = ("now", "clock_timestamp", "statement_timestamp", "transaction_timestamp")
WORDS = ("current_timestamp", "current_date", "localtimestamp", "create extension", "merge into")
STATEMENT = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE|WITH)\b")
# the one place where the clock is made
OUR_CLOCK = "CREATE FUNCTION parvis_now()"
# asks the server for its own clock, to tell how far it is from ours
ASKS_THE_SERVER = f"{STORE}/health.py"


def _statements():
    for path in files(STORE):
        if path.suffix == ".sql":
            yield name_of(path), _without_our_clock(_without_comments(text(path)))
    for path in python(STORE, "orchestrator", "web", "parvis", "identity", "connectors"):
        for value, line in _constants(path):
            if STATEMENT.search(value):
                yield f"{name_of(path)}:{line}", value


@pytest.mark.parametrize("function", BANNED)
def test_no_statement_calls_a_function_that_postgresql_15_lacks(function):
    pattern = re.compile(rf"(?<![\w.]){function}\s*\(", re.IGNORECASE)

    assert [place for place, sql in _statements() if pattern.search(sql)] == []


@pytest.mark.parametrize("clock", CLOCKS)
def test_time_is_read_through_parvis_now(clock):
    pattern = re.compile(rf"(?<![\w.]){clock}\s*\(", re.IGNORECASE)
    found = [place for place, sql in _statements() if pattern.search(sql)]

    assert [place for place in found if not place.startswith(ASKS_THE_SERVER)] == []


@pytest.mark.parametrize("word", WORDS)
def test_no_statement_uses_another_clock_an_extension_or_merge(word):
    pattern = re.compile(rf"\b{word}\b", re.IGNORECASE)

    assert [place for place, sql in _statements() if pattern.search(sql)] == []


def test_sql_is_written_in_the_store_only():
    """A table name in a statement outside the store is a second owner of that table."""
    found = [
        place
        for place, sql in _statements()
        if not place.startswith(STORE) and re.search(r"\b(FROM|INTO|UPDATE)\s+[a-z_]+\b", sql)
    ]

    assert [place for place in found if not place.startswith("parvis/")] == []


def test_every_statement_is_seen():
    assert len(list(_statements())) > 20


def _constants(path):
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value, node.lineno


def _without_comments(sql):
    return re.sub(r"--[^\n]*", "", sql)


def _without_our_clock(sql):
    start = sql.find(OUR_CLOCK)
    end = sql.find(";", start)
    return sql if start < 0 else sql[:start] + sql[end:]
