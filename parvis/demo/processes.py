"""The embedded PostgreSQL as a child of the supervisor, beside our programs."""

from parvis.embedded_postgres import EmbeddedPostgres


class Server:
    """The embedded PostgreSQL as a child."""

    def __init__(self, name: str, postgres: EmbeddedPostgres) -> None:
        self.name = name
        self._postgres = postgres

    @property
    def pid(self) -> int | None:
        """The server's first process, while it runs."""
        return self._postgres.pid

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._postgres.start()

    def ask(self) -> None:
        """Nothing: the others still need it while they stop."""

    def stop(self) -> None:
        """Stop it, clean."""
        self._postgres.stop()
