"""Bring a database to the newest schema; one process at a time, never at import.

Imported by who migrates only: Alembic and SQLAlchemy take a quarter of a program's start.
"""

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config

from orchestrator.store.locks import MIGRATIONS
from orchestrator.store.readiness import MIGRATION_FILES, newest_revision
from schemas.errors import StoreUnavailableError


def upgrade(url: str) -> str:
    """Apply every migration that is missing; returns the revision reached."""
    engine = _engine(url)
    with _connected(engine) as connection:
        connection.exec_driver_sql(
            f"SELECT pg_advisory_lock({MIGRATIONS})"
        )  # however long it takes
        connection.exec_driver_sql("SET lock_timeout = '3s'")
        connection.commit()
        configuration = _configuration()
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "head")
        connection.commit()
        connection.exec_driver_sql(f"SELECT pg_advisory_unlock({MIGRATIONS})")
        connection.commit()
    engine.dispose()
    return newest_revision()


def _engine(url: str) -> sqlalchemy.Engine:
    """Return an engine that reads the address as every other connection does: several hosts, options."""
    return sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=sqlalchemy.NullPool
    )


def _connected(engine: sqlalchemy.Engine) -> sqlalchemy.Connection:
    try:
        return engine.connect()
    except sqlalchemy.exc.OperationalError as error:
        raise StoreUnavailableError from error


def _configuration() -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATION_FILES.parent))
    configuration.set_main_option("path_separator", "os")
    return configuration
