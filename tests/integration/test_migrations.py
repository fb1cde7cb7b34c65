import re
from pathlib import Path

import pytest

from orchestrator.store import catalogue, migrate
from schemas.errors import StoreUnavailableError

pytestmark = pytest.mark.postgres
REFERENCE = Path(catalogue.__file__).with_name("schema.txt")
COMMENT = re.compile(
    r"pii=(identity|contact|civil_status|reference|location|interest|free_text|secret); "
    r"purpose=[a-z_.]+; retention=[^;]+; eraser=(row|data key)"
)


def test_the_migrations_make_the_reference_schema(database):
    with database.connection() as connection:
        assert catalogue.described(connection) == REFERENCE.read_text()


def test_migrating_twice_changes_nothing(database_url):
    assert migrate.upgrade(database_url) == migrate.head() == migrate.current(database_url)


def test_a_database_that_is_away_is_said_so():
    with pytest.raises(StoreUnavailableError):
        migrate.current("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")


def test_sealed_columns_say_what_they_hold_and_what_erases_them():
    sealed = [
        line
        for line in REFERENCE.read_text().splitlines()
        if re.match(r"(message|run|step|signal|exchange|signup)\.\w+ bytea", line)
        and not re.match(r"\w+\.(request_hash|token_digest|contact_digest|wrapped) ", line)
    ]
    assert len(sealed) == 7
    assert [line for line in sealed if not COMMENT.search(line)] == []


def test_every_annotation_is_complete():
    annotated = [line for line in REFERENCE.read_text().splitlines() if "pii=" in line]
    assert len(annotated) >= 10
    assert [line for line in annotated if not COMMENT.search(line)] == []
