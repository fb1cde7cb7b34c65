import re
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from orchestrator.store import catalogue, migrate
from orchestrator.store.readiness import MIGRATION_FILES, ReadinessRows, newest_revision
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


def test_migrating_twice_changes_nothing(database_url, database):
    assert migrate.upgrade(database_url) == newest_revision() == ReadinessRows(database).revision()


def test_files_are_named_after_the_newest_of_one_chain():
    assert ScriptDirectory(MIGRATION_FILES.parent).get_heads() == [newest_revision()]


def test_a_database_that_is_away_is_said_so():
    with pytest.raises(StoreUnavailableError):
        migrate.upgrade("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")


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
