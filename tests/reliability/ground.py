"""What all seeds of one test process stand on: a database with the city in it, made once.

A seed empties what it wrote and leaves the city; connections, the offer and the counters outlive
it, because making them costs more than the seed itself.
"""

import base64
import os
import random
import re
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path

import psycopg

from orchestrator.services.offer import LiveOffer
from orchestrator.services.open_data import SHIPPED_DATES, SOURCES, read_all
from orchestrator.services.ports.partners import Partner
from orchestrator.store.connections import Database
from orchestrator.store.consent import ConsentRows
from orchestrator.store.offer import OfferRowsReader, OpenDataRows
from parvis.bootstrap import open_hub
from parvis.metrics import Meter
from parvis.settings import Settings
from schemas.city import read_city
from tests.reliability.cables import Cables

ROOT = Path(__file__).parents[2]
# what belongs to the city and stays from seed to seed
KEPT = frozenset(
    [
        "alembic_version",
        "commune",
        "place",
        "territory",
        "profile",
        "service",
        "binding",
        "secret",
        "config_revision",
        "partner",
        "partner_key",
        "placement",
        "purpose",
        "notice",
    ]
)


# no delay so short that a worker sleeps it out in real time
POLICY = "3s x3; 1min x5; 15min x8; 2h x12; then dead-letter"


@dataclass
class Ground:
    """One prepared database and what is shared on it."""

    url: str
    folder: Path
    meter: Meter = field(default_factory=Meter)

    def prepare(self) -> "Ground":
        """Bring in the open data and the demonstration's city."""
        hub = open_hub(self.settings)
        files = {name.file: (ROOT / "parvis/data" / name.file).read_bytes() for name in SOURCES}
        data, _ = read_all(files, source_dates=SHIPPED_DATES)
        ConsentRows(hub.database).seed()
        OpenDataRows(hub.database).import_open_data(data, actor="campaign")
        text = (ROOT / "parvis/demo/city.yaml").read_text(encoding="utf-8")
        text = re.sub(r"retry: .*", f'retry: "{POLICY}"', text)
        for name in _secret_names(text):
            hub.secrets.put(name, "an invented value", actor="campaign")
        hub.configuration.apply(text, actor="campaign")
        hub.database.close()
        return self

    @cached_property
    def settings(self) -> Settings:
        master, secret = self.folder / "master.key", self.folder / "secret.key"
        master.write_text(base64.b64encode(bytes(range(32))).decode() + "\n")
        secret.write_text("s" * 43 + "\n")
        for path in (master, secret):
            path.chmod(0o600)
        return Settings.read(
            {
                "PARVIS_MODE": "demo",
                "PARVIS_DATABASE_URL": self.url,
                "PARVIS_MASTER_KEY_FILE": str(master),
                "PARVIS_SECRET_KEY_FILE": str(secret),
                "PARVIS_PUBLIC_URL": "http://127.0.0.1:8000",
                "PARVIS_DATA_DIR": str(self.folder),
            }
        )

    @cached_property
    def cables(self) -> Cables:
        return Cables(self.url)

    @cached_property
    def _reading(self) -> Database:
        return Database(self.url)

    @cached_property
    def offer(self) -> LiveOffer:
        return LiveOffer(OfferRowsReader(self._reading))

    @cached_property
    def partners(self) -> dict[str, Partner]:
        return {
            row.id: Partner(
                id=row.id, name=row.name, allowed_events=frozenset(row.allowed_events), keys={}
            )
            for row in self.offer.current().partners.values()
        }

    @cached_property
    def looking(self) -> psycopg.Connection:
        """The connection invariants are read on; no fault ever strikes it."""
        return self.cables.take()

    @cached_property
    def _emptying(self) -> str:
        rows = self.looking.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition "
            "AND relnamespace = 'public'::regnamespace"
        )
        names = sorted({row["relname"] for row in rows} - KEPT)
        return "; ".join(f"DELETE FROM {name}" for name in names)

    def empty(self) -> None:
        """Forget what the last seed wrote."""
        self.looking.execute(self._emptying)
        self.cables.turn(timedelta())

    def close(self) -> None:
        self.cables.close()
        self._reading.close()


def seeded(seed: int) -> random.Random:
    """Return a seed's generator; the product's own jitter follows it too."""
    random.seed(seed)
    return random.Random(seed)


def asked(name: str, default: int) -> int:
    """Return a number of the environment, for longer runs and for replays."""
    return int(os.environ.get(name) or default)


def _secret_names(text: str) -> set[str]:
    document = read_city(text)
    names = {key.secret for partner in document.partners for key in partner.keys if key.secret}
    for profile in document.profiles.values():
        names.update(profile.secrets.values())
    return names
