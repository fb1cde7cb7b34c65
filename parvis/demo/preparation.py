"""One process that makes the hub ready: schema, open data, secrets, the city's configuration.

It is started while the database starts, reads and checks the data files meanwhile, and goes on when
a line on its standard input says that the database answers. What it did is one JSON line.
"""

import json
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from orchestrator.services.open_data import SHIPPED_DATES, SOURCES, OpenData, read_all
from orchestrator.services.ports.staff import Role, WantedRole
from orchestrator.store import migrate
from orchestrator.store.consent import ConsentRows
from orchestrator.store.offer import OpenDataRows
from orchestrator.store.staff_roles import StaffRoleTable
from parvis.bootstrap import Hub, open_hub
from parvis.demo.environment import environment_of
from parvis.demo.folder import DemoFolder
from parvis.identity_keys import SamlKeys
from parvis.settings import Settings
from schemas.errors import ConfigurationError, ParvisError, StoreUnavailableError

ACTOR: Final = "demo"
STAFF: Final = {"admin.demo": Role.ADMIN, "biblio.demo": Role.LIBRARIAN}


def main() -> int:
    """Prepare the hub of the folder given as argument."""
    folder = Path(sys.argv[1])
    data = read_shipped()
    if not sys.stdin.readline():
        return 1
    try:
        done = prepare(
            open_hub(Settings.read(environment_of(DemoFolder(folder), {}))), folder, data
        )
    except ConfigurationError as error:
        done = {"faults": list(error.faults)}
    except StoreUnavailableError:
        done = {"faults": ["La base de données ne répond pas."]}
    except ParvisError as error:
        done = {"faults": [f"Préparation impossible ({type(error).__name__}) : {error}"]}
    sys.stdout.write(json.dumps(done, ensure_ascii=False) + "\n")
    return 1 if "faults" in done else 0


def read_shipped() -> OpenData:
    """Read the open data shipped with the project."""
    shipped = files("parvis") / "data"
    bodies = {source.file: (shipped / source.file).read_bytes() for source in SOURCES}
    data, _ = read_all(bodies, source_dates=SHIPPED_DATES)
    return data


def prepare(hub: Hub, folder: Path, data: OpenData) -> dict[str, Any]:
    """Bring the database to what the folder wants; a second time changes nothing."""
    revision = migrate.upgrade(hub.settings.database_url)
    ConsentRows(hub.database).seed()
    counts = OpenDataRows(hub.database).import_open_data(data, actor=ACTOR)
    secrets = _put_secrets(hub, json.loads((folder / "secrets.json").read_bytes()))
    SamlKeys(hub.secrets, public_url=hub.settings.public_url).make(actor=ACTOR)
    _grant(hub)
    city = (folder / "city.yaml").read_text(encoding="utf-8")
    applied = hub.configuration.apply(city, actor=ACTOR)
    hub.database.close()
    return {
        "schema": revision,
        "communes": sum(_kept(counts["communes"])),
        "places": sum(_kept(counts["places"])),
        "libraries": sum(place.is_open_library for place in data.libraries),
        "secrets": secrets,
        "changes": len(applied.plan.create) + len(applied.plan.change),
    }


def _grant(hub: Hub) -> None:
    """Give the invented staff their roles; those they have already stay as they are."""
    roles = StaffRoleTable(database=hub.database, vault=hub.vault)
    for name, role in STAFF.items():
        roles.grant(WantedRole(name=name, role=role, territory=None, until=None), actor=ACTOR)


def _kept(count: Any) -> tuple[int, int, int]:
    return count.created, count.changed, count.same


def _put_secrets(hub: Hub, values: Mapping[str, str]) -> int:
    """Seal the secrets that are new or changed; each one tells the processes that it moved."""
    known = hub.secrets.values(values)
    fresh = {name: value for name, value in values.items() if known.get(name) != value}
    for name, value in fresh.items():
        hub.secrets.put(name, value, actor=ACTOR)
    return len(fresh)


if __name__ == "__main__":
    sys.exit(main())
