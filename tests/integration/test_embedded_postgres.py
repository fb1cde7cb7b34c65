import os
import signal
import tempfile
from pathlib import Path

import psycopg
import pytest

from parvis.embedded_postgres import EmbeddedPostgres
from schemas.errors import ConfigurationError
from tests.conftest import _free_port

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(90)]


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="parvis-test-") as place:
        yield Path(place) / "postgres"


def started(folder):
    server = EmbeddedPostgres(folder, port=_free_port())
    server.start()
    return server


def test_a_killed_server_starts_again_on_its_data_however_many_clients_it_had(folder):
    server = started(folder)
    clients = [psycopg.connect(server.url) for _ in range(20)]
    clients[0].execute("CREATE TABLE kept(n int)")
    clients[0].execute("INSERT INTO kept VALUES (7)")
    clients[0].commit()
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    again = started(folder)
    with psycopg.connect(again.url) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)
    for client in clients:
        client.close()
    again.stop()


def test_a_folder_another_server_holds_is_refused_in_words(folder):
    server = started(folder)
    with pytest.raises(ConfigurationError, match="utilise déjà le dossier"):
        started(folder)
    server.stop()


def test_a_stale_pid_file_of_a_machine_that_died_is_no_obstacle(folder):
    started(folder).stop()
    (folder / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n/nowhere\n")
    server = started(folder)
    assert server.pid
    server.stop()


def test_its_address_holds_the_password_and_nobody_else_may_read_the_file(folder):
    server = started(folder)
    assert (folder / "password").stat().st_mode & 0o077 == 0
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.url.replace("parvis:", "parvis:x"))
    server.stop()
