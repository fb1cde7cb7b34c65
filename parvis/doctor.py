"""Is this installation well? Each line that is not says what to do.

Checks go from the ground up; a check whose ground is missing is left out rather than failed twice.
"""

import shutil
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from orchestrator.broker.health import BrokerHealth, broker_health
from orchestrator.services.configuration_checks import missing_secrets, referred_secrets
from orchestrator.services.ports.offer import Entry, EntryKey
from orchestrator.store.health import ServerHealth, server_health
from orchestrator.store.readiness import ReadinessRows, newest_revision
from parvis.bootstrap import Hub, open_hub
from parvis.findings import Finding
from parvis.findings import fault as _fault
from parvis.findings import remark as _remark
from parvis.findings import well as _well
from parvis.metrics import running_version
from parvis.settings import Settings, remarks
from schemas import clock
from schemas.errors import (
    BrokerUnavailableError,
    ConfigurationError,
    ParvisError,
    StoreUnavailableError,
)
from schemas.receipts import ProbeLevel

OLDEST_SERVER: Final = 150000  # server_version_num of PostgreSQL 15
MOST_SKEW_SECONDS: Final = 5
LEAST_DISK_BYTES: Final = 1 << 30
MOST_CHECKPOINT_SECONDS: Final = 26 * 3600


def examined(environ: Mapping[str, str]) -> tuple[Finding, ...]:
    """Return every finding, from the environment up to the systems of the city."""
    findings = [_versions(), *(_remark("réglages", text) for text in remarks(environ))]
    try:
        settings = Settings.read(environ)
    except ConfigurationError as error:
        remedy = "corrigez l'environnement du service"
        return (*findings, *(_fault("réglages", fault, remedy) for fault in error.faults))
    hub = open_hub(settings)
    findings.append(_well("réglages", f"complets, mode {settings.mode}"))
    findings += [*_ports(settings), *_disk(settings), *_database(hub), *_broker(hub)]
    hub.database.close()
    return tuple(findings)


def _versions() -> Finding:
    python = ".".join(str(part) for part in sys.version_info[:3])
    return _well("versions", f"Parvis {running_version()}, Python {python}")


# --- this machine -------------------------------------------------------------------------------


def _ports(settings: Settings) -> Iterator[Finding]:
    host, _, port = settings.bind.rpartition(":")
    wanted = [("port web", "PARVIS_BIND", host.strip("[]"), int(port))]
    if settings.metrics_port is not None:
        address = settings.metrics_address
        wanted.append(("port des mesures", "PARVIS_METRICS_PORT", address, settings.metrics_port))
    for subject, name, address, number in wanted:
        fault = port_fault(address, number)
        if fault is None:
            yield _well(subject, f"{number} est libre")
        else:
            remedy = f"normal si Parvis tourne déjà ; sinon changez {name}"
            yield _remark(subject, f"{number} : {fault}", remedy)


def port_fault(address: str, port: int) -> str | None:
    """Return why a port cannot be taken, or None."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return error.strerror or "impossible à prendre"
    return None


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = next(
        path for path in (settings.data_dir, *settings.data_dir.parents, Path("/")) if path.exists()
    )
    free = shutil.disk_usage(folder).free
    detail = f"{free / LEAST_DISK_BYTES:.1f} Gio libres sous {folder}"
    if free >= LEAST_DISK_BYTES:
        yield _well("disque", detail)
    else:
        yield _fault("disque", detail, "libérez au moins 1 Gio")


# --- database -----------------------------------------------------------------------------------


def _database(hub: Hub) -> Iterator[Finding]:
    try:
        server = server_health(hub.database)
        yield from _server(server, hub.settings)
        yield from _tables(hub)
    except StoreUnavailableError:
        remedy = "vérifiez PARVIS_DATABASE_URL, le serveur et le pare-feu"
        yield _fault("base de données", "PostgreSQL ne répond pas", remedy)


def _server(server: ServerHealth, settings: Settings) -> Iterator[Finding]:
    if server.version_number < OLDEST_SERVER:
        remedy = "installez PostgreSQL 15 ou plus récent"
        yield _fault("base de données", f"PostgreSQL {server.version}", remedy)
    else:
        yield _well("base de données", f"PostgreSQL {server.version}")
    if server.encoding != "UTF8":
        remedy = "recréez la base avec ENCODING 'UTF8'"
        yield _fault("encodage", server.encoding, remedy)
    if settings.is_production and not server.is_durable:
        remedy = "remettez fsync, full_page_writes et synchronous_commit à « on »"
        yield _fault("durabilité", "un arrêt brutal perdrait des événements acceptés", remedy)
    skew = abs((server.now - clock.utcnow()).total_seconds())
    if skew > MOST_SKEW_SECONDS:
        detail = f"{skew:.0f} s d'écart avec le serveur de base de données"
        yield _fault("horloge", detail, "réglez les deux machines par NTP")
    else:
        yield _well("horloge", "accordée avec la base de données")


def _tables(hub: Hub) -> Iterator[Finding]:
    known, head = ReadinessRows(hub.database).revision(), newest_revision()
    if known != head:
        detail = f"la base est à {known or 'rien'}, le code attend {head}"
        yield _fault("migrations", detail, "lancez « parvis migrate »")
        return
    yield _well("migrations", f"à jour ({head})")
    state = hub.configuration.store.state()
    if not hub.configuration.store.known_data().communes:
        yield _fault("données ouvertes", "aucune commune", "lancez « parvis data import »")
    if not state.revision or not state.entries:
        remedy = "lancez « parvis apply city.yaml »"
        yield _fault("configuration", "aucune", remedy)
        return
    yield _well("configuration", f"révision {state.revision}, {len(state.entries)} éléments")
    yield from _secrets(hub, state.entries)
    yield from _journal(hub)
    yield from _systems(hub)


# --- broker -------------------------------------------------------------------------------------


def _broker(hub: Hub) -> Iterator[Finding]:
    try:
        found = broker_health(hub.broker) if hub.broker is not None else None
    except BrokerUnavailableError:
        detail = "RabbitMQ ne répond pas ; les réveils attendent en base"
        yield _fault("réveils", detail, "vérifiez PARVIS_BROKER_URL, le serveur et le pare-feu")
    except ConfigurationError as error:
        yield _fault("réveils", " ".join(error.faults), "corrigez PARVIS_BROKER_URL ou les droits")
    else:
        if found is None:
            yield _well("réveils", "lus en base, un seul processus de travail actif à la fois")
            return
        yield _well("réveils", f"RabbitMQ {found.version}")
        yield from _queues(found)


def _queues(found: BrokerHealth) -> Iterator[Finding]:
    if found.journey is None or found.dead is None:
        remedy = "lancez « parvis broker topology --declare », ou le relais, qui les crée"
        yield _remark("files RabbitMQ", "absentes", remedy)
        return
    detail = f"{found.journey.messages} réveils, {found.dead.messages} messages morts"
    if found.journey.consumers == 0:
        yield _remark("files RabbitMQ", detail, "lancez « parvis worker » : personne ne les prend")
    elif found.dead.consumers == 0:
        yield _remark(
            "files RabbitMQ", detail, "lancez « parvis relay » : personne ne les alimente"
        )
    else:
        yield _well("files RabbitMQ", detail)


def _secrets(hub: Hub, entries: Mapping[EntryKey, Entry]) -> Iterator[Finding]:
    named = referred_secrets(entries)
    missing = missing_secrets(entries, hub.secrets.values(named))
    for name in missing:
        detail = f"« {name} » n'a pas de valeur que la clé maîtresse ouvre"
        yield _fault("secrets", detail, f"lancez « parvis secrets set {name} »")
    if not missing:
        yield _well("secrets", f"{len(named)} nommés, tous lisibles")


def _systems(hub: Hub) -> Iterator[Finding]:
    offer = hub.offer.current()
    for service in _one_per_profile(offer.services.values()):
        ref = offer.service(service.id)
        if ref is None:
            continue
        subject = f"système {ref.profile}"
        try:
            probe = hub.gateway.probe(ref, ProbeLevel.REACHABLE)
        except ParvisError as error:
            detail = " ".join(getattr(error, "faults", ())) or error.title
            yield _fault(subject, detail, "corrigez ses réglages ou ses secrets")
            continue
        if probe.is_up:
            yield _well(subject, "joignable")
        else:
            yield _fault(subject, probe.cause or "injoignable", probe.remedy or "voyez la console")


def _journal(hub: Hub) -> Iterator[Finding]:
    late, age = hub.journal.late(), hub.checkpoints.age_seconds()
    if late:
        detail = f"{late} écritures attendent leur sceau depuis plus d'une minute"
        yield _fault("journal", detail, "lancez « parvis scheduler », ou voyez ses traces")
    elif age is not None and age > MOST_CHECKPOINT_SECONDS:
        detail = f"dernier point de contrôle il y a {age / 3600:.0f} h"
        yield _fault("journal", detail, "lancez « parvis scheduler », ou voyez ses traces")
    else:
        yield _well("journal", "scellé")


def _one_per_profile(services: Iterable[Any]) -> list[Any]:
    return list({service.profile_id: service for service in services}.values())
