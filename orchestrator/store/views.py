"""What the console reads, one statement a question: by key, never by offset, never counted whole.

A list walks one index downwards from a position: the runs of a status or of a journey by
``(created_at, id)``, all runs by their id, which is ordered by time (UUIDv7). What no index knows
(the sender) is looked for among a bounded number of runs; the reader goes on from there.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import DictRow

from orchestrator.services.ports.views import (
    CEILING,
    OWN_PAGES,
    Body,
    Counters,
    ExchangeRow,
    LastExchange,
    Looked,
    MessageRow,
    Position,
    PreregistrationRow,
    RunFilter,
    RunLine,
    RunSheet,
    StepRow,
    SystemRow,
    Way,
)
from orchestrator.store.connections import Database
from orchestrator.store.vault import DataKey, ErasedError, Vault

MOST_LOOKED: Final = 10_000
MOST_STEPS: Final = 200
MOST_EXCHANGES: Final = 100
_OPEN: Final = ["ready", "waiting_timer", "waiting_signal", "waiting_human", "compensating"]
_LATE: Final = """
SELECT id FROM run WHERE wake_at < parvis_now() - interval '1 minute'
UNION ALL
SELECT id FROM run WHERE status IN ('ready', 'compensating') AND status <> 'done'
   AND lease_until < parvis_now() - interval '1 minute'"""
_COLUMNS: Final = (
    "id, journey, version, status, step, seq AS attempts, created_at, updated_at, ended_at, wake_at, "
    "waiting_for, error_code, message_id, parent_id, forked_from, "
    "coalesce(wake_at < parvis_now() - interval '1 minute', false) "
    "OR coalesce(status IN ('ready', 'compensating') "
    "AND lease_until < parvis_now() - interval '1 minute', false) AS is_late"
)
_SHOWN: Final = """
SELECT l.*, m.source, m.type, p.our_ref, place.name AS place_name
  FROM {found} l LEFT JOIN message m ON m.id = l.message_id
  LEFT JOIN LATERAL (SELECT our_ref, place_id FROM preregistration WHERE run_id = l.id
                      ORDER BY created_at DESC LIMIT 1) p ON true
  LEFT JOIN place ON place.id = p.place_id"""
_SENT: Final = "(m.source = %(source)s OR starts_with(m.source, %(sources)s))"
_LAST_LOOKED: Final = """
SELECT (SELECT count(*) FROM looked) AS looked, created_at, id FROM looked ORDER BY {order} LIMIT 1"""
_COUNTERS: Final = f"""
SELECT (SELECT count(*) FROM (SELECT FROM run WHERE status = ANY(%(open)s) AND status <> 'done'
          LIMIT %(most)s) a) AS under_way,
       (SELECT count(*) FROM (SELECT FROM run WHERE status = 'waiting_timer' LIMIT %(most)s) b) AS failing,
       (SELECT count(*) FROM (SELECT FROM run WHERE status = 'stuck' LIMIT %(most)s) c) AS stuck,
       (SELECT count(*) FROM ({_LATE} LIMIT %(most)s) d) AS late"""
_PARTNERS: Final = "SELECT id, name FROM partner WHERE retired_at IS NULL ORDER BY name, id"
_RUN: Final = f"""
WITH one AS (SELECT {_COLUMNS} FROM run WHERE id = %s)
{_SHOWN.format(found="one")}"""
_STEPS: Final = """
SELECT seq, attempt, name, outcome, cause, error, started_at, ended_at, worker, actor FROM step
 WHERE run_id = %(run)s AND seq < %(before)s ORDER BY seq DESC, attempt DESC LIMIT %(most)s"""
_EXCHANGES: Final = """
SELECT x.id, x.step, x.profile, x.operation, x.address, x.status, x.outcome, x.asked_at, x.sent_at,
       x.answered_at, x.ended_at, x.request, x.response, x.data_key_id, k.wrapped
  FROM exchange x LEFT JOIN data_key k ON k.id = x.data_key_id
 WHERE x.run_id = %(run)s AND (%(before)s::uuid IS NULL OR x.id < %(before)s)
 ORDER BY x.id DESC LIMIT %(most)s"""
_MESSAGE: Final = """
SELECT m.id, m.source, m.event_id, m.type, m.received_at, m.body, m.data_key_id, k.wrapped
  FROM message m LEFT JOIN data_key k ON k.id = m.data_key_id WHERE m.id = %s"""
_PREREGISTRATION: Final = """
SELECT r.state, r.our_ref, p.name AS place_name, coalesce(c.name, p.commune) AS commune,
       s.name AS service, r.external_ref IS NOT NULL AS is_known_outside, r.updated_at, r.expires_at
  FROM preregistration r LEFT JOIN place p ON p.id = r.place_id
  LEFT JOIN commune c ON c.code = p.commune LEFT JOIN service s ON s.id = r.service_id
 WHERE r.run_id = %s ORDER BY r.created_at DESC LIMIT 1"""
_SYSTEMS: Final = """
SELECT p.id AS profile, p.connector, p.state, coalesce(b.state <> 'closed', false) AS is_paused, b.cause, b.reason,
       b.opened_at AS paused_at, b.next_probe_at,
       ARRAY(SELECT s.name FROM binding o JOIN service s ON s.id = o.service_id
              WHERE o.profile_id = p.id AND s.retired_at IS NULL ORDER BY s.name) AS services,
       l.operation, l.outcome, l.status, l.ended_at,
       (SELECT x.ended_at FROM exchange x WHERE x.profile = p.id AND x.outcome = 'ok'
           AND x.ended_at > parvis_now() - interval '30 days'
         ORDER BY x.ended_at DESC LIMIT 1) AS last_success_at,
       (SELECT count(*) FROM (SELECT FROM run WHERE status = 'waiting_timer'
           AND waiting_for = 'system:' || p.id LIMIT %(most)s) w) AS waiting
  FROM profile p LEFT JOIN breaker b ON b.profile = p.id
  LEFT JOIN LATERAL (SELECT x.operation, x.outcome, x.status, x.ended_at FROM exchange x
                      WHERE x.profile = p.id ORDER BY x.ended_at DESC LIMIT 1) l ON true
 WHERE p.retired_at IS NULL ORDER BY p.id"""
_LINE: Final = frozenset(RunLine.__dataclass_fields__)


class RunViewRows:
    """Implements ``ports.views.RunRows``."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def page(
        self, asked: RunFilter, *, size: int, start: Position | None = None, way: Way = Way.OLDER
    ) -> Looked:
        """Return the lines next to a position, newest first."""
        walk, order, values = _walk(asked, start, way)
        values["look"] = MOST_LOOKED if asked.partner else size + 1
        values["size"] = size + 1
        sent = f"WHERE {_SENT}" if asked.partner else ""
        sql = f"""
WITH looked AS ({walk}),
     page AS (SELECT l.* FROM looked l LEFT JOIN message m ON m.id = l.message_id {sent}
               ORDER BY {order} LIMIT %(size)s)
{_SHOWN.format(found="page")} ORDER BY {_of("l", order)}"""
        rows = self._database.all(sql, values)
        lines = [_line(row) for row in rows[:size]]
        if way is Way.NEWER:
            lines.reverse()
        if asked.partner and len(rows) <= size:
            stopped_at = self._stopped_at(walk, order, values)
            return Looked(lines=lines, has_more=False, stopped_at=stopped_at)
        return Looked(lines=lines, has_more=len(rows) > size)

    def counters(self) -> Counters:
        """Return the counters of the first page, each up to the ceiling and one."""
        row = self._database.one(_COUNTERS, {"open": _OPEN, "most": CEILING + 1})
        return Counters(**(row or {}))

    def partners(self) -> Mapping[str, str]:
        """Return the names of the partners by id."""
        return {row["id"]: row["name"] for row in self._database.all(_PARTNERS)}

    def sheet(
        self, run_id: UUID, *, steps_before: int | None = None, exchanges_before: UUID | None = None
    ) -> RunSheet | None:
        """Return one run with the latest rows of its log, or None."""
        row = self._database.one(_RUN, (run_id,))
        if row is None:
            return None
        steps = self._database.all(
            _STEPS, {"run": run_id, "before": steps_before or 2**31 - 1, "most": MOST_STEPS + 1}
        )
        exchanges = self._database.all(
            _EXCHANGES, {"run": run_id, "before": exchanges_before, "most": MOST_EXCHANGES + 1}
        )
        found = self._database.one(_PREREGISTRATION, (run_id,))
        return RunSheet(
            line=_line(row),
            step=row["step"],
            steps=[StepRow(**each) for each in reversed(steps[:MOST_STEPS])],
            has_earlier_steps=len(steps) > MOST_STEPS,
            exchanges=[self._exchange(each) for each in reversed(exchanges[:MOST_EXCHANGES])],
            has_earlier_exchanges=len(exchanges) > MOST_EXCHANGES,
            message=self._message(row["message_id"]),
            preregistration=PreregistrationRow(**found) if found else None,
        )

    def _stopped_at(self, walk: str, order: str, values: Mapping[str, Any]) -> Position | None:
        """Return the last row looked at, when there may be more behind it."""
        sql = f"WITH looked AS ({walk}) {_LAST_LOOKED.format(order=_reversed(order))}"
        row = self._database.one(sql, values)
        if row is None or row["looked"] < MOST_LOOKED:
            return None
        return Position(at=row["created_at"], id=row["id"])

    def _exchange(self, row: DictRow) -> ExchangeRow:
        key = self._key(row)
        names = ExchangeRow.__dataclass_fields__.keys() & row.keys() - {"request", "response"}
        return ExchangeRow(
            **{name: row[name] for name in names},
            request=_opened(row["request"], key, row["id"]),
            response=_opened(row["response"], key, row["id"]),
        )

    def _message(self, message_id: UUID | None) -> MessageRow | None:
        row = self._database.one(_MESSAGE, (message_id,)) if message_id else None
        if row is None:
            return None
        names = MessageRow.__dataclass_fields__.keys() & row.keys() - {"body"}
        body = _opened(row["body"], self._key(row), row["id"])
        return MessageRow(**{name: row[name] for name in names}, body=body)

    def _key(self, row: DictRow) -> DataKey | None:
        if row["data_key_id"] is None or row["wrapped"] is None:
            return None
        try:
            return self._vault.open_key(row["data_key_id"], row["wrapped"])
        except ErasedError:
            return None


class SystemViewRows:
    """Implements ``ports.views.SystemRows``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def systems(self) -> Sequence[SystemRow]:
        """Return every profile that is not retired, by name."""
        return [_system(row) for row in self._database.all(_SYSTEMS, {"most": CEILING + 1})]


def _walk(asked: RunFilter, start: Position | None, way: Way) -> tuple[str, str, dict[str, Any]]:
    """Return the statement that walks the fitting index, its order, and its values."""
    statuses = [status for status in asked.statuses or () if status != "done"]
    values: dict[str, Any] = {
        "statuses": statuses,
        "journey": asked.journey,
        "system": f"system:{asked.system}",
        "since": asked.since,
        "since_id": _floor(asked.since) if asked.since else None,
        "source": "/hub/citizen" if asked.partner == OWN_PAGES else f"/partners/{asked.partner}",
        "sources": "/hub/" if asked.partner == OWN_PAGES else f"/partners/{asked.partner}/",
        "at": start.at if start else None,
        "id": start.id if start else None,
    }
    wanted = [
        clause
        for clause, is_asked in (
            ("journey = %(journey)s", asked.journey),
            ("status = 'waiting_timer' AND waiting_for = %(system)s", asked.system),
            ("status = 'done'", asked.statuses == ("done",)),
            (f"id IN ({_LATE})", asked.is_late),
        )
        if is_asked
    ]
    if not (statuses or asked.journey or asked.system or asked.is_late):
        return _by_id(wanted, asked, start, way), _ID_ORDER[way], values
    wanted += ["created_at >= %(since)s"] if asked.since else []
    wanted += [_PAST[way]] if start else []
    order = _TIME_ORDER[way]
    if not statuses:
        return _select(wanted, order), order, values
    each = _select(["status = s.status", "status <> 'done'", *wanted], order)
    walk = (
        "SELECT r.* FROM unnest(%(statuses)s::text[]) AS s(status) "
        f"CROSS JOIN LATERAL ({each}) r ORDER BY {_of('r', order)} LIMIT %(look)s"
    )
    return walk, order, values


def _by_id(wanted: list[str], asked: RunFilter, start: Position | None, way: Way) -> str:
    wanted = [*wanted, "id >= %(since_id)s"] if asked.since else wanted
    if start:
        wanted = [*wanted, "id < %(id)s" if way is Way.OLDER else "id > %(id)s"]
    return _select(wanted, _ID_ORDER[way])


def _select(wanted: Sequence[str], order: str) -> str:
    where = f"WHERE {' AND '.join(wanted)} " if wanted else ""
    return f"SELECT {_COLUMNS} FROM run {where}ORDER BY {order} LIMIT %(look)s"


_ID_ORDER: Final = {Way.OLDER: "id DESC", Way.NEWER: "id"}
_TIME_ORDER: Final = {Way.OLDER: "created_at DESC, id", Way.NEWER: "created_at, id DESC"}
_PAST: Final = {
    Way.OLDER: "created_at <= %(at)s AND (created_at < %(at)s OR id > %(id)s)",
    Way.NEWER: "created_at >= %(at)s AND (created_at > %(at)s OR id < %(id)s)",
}
_OPPOSITE: Final = {
    "id DESC": "id",
    "id": "id DESC",
    "created_at DESC, id": "created_at, id DESC",
    "created_at, id DESC": "created_at DESC, id",
}


def _reversed(order: str) -> str:
    return _OPPOSITE[order]


def _of(table: str, order: str) -> str:
    return ", ".join(f"{table}.{column}" for column in order.split(", "))


def _floor(moment: datetime) -> UUID:
    """Return the least UUIDv7 of a moment."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def _line(row: DictRow) -> RunLine:
    return RunLine(**{name: row[name] for name in _LINE})


def _opened(sealed: bytes | None, key: DataKey | None, row_id: UUID) -> Body:
    if sealed is None:
        return Body(state="none")
    if key is None:
        return Body(state="erased")
    try:
        if not (plain := key.open(row_id, sealed)):
            return Body(state="none")
    except ErasedError:
        return Body(state="erased")
    return Body(state="kept", value=json.loads(plain))


def _system(row: DictRow) -> SystemRow:
    last = None
    if row["ended_at"] is not None:
        last = LastExchange(**{name: row[name] for name in LastExchange.__dataclass_fields__})
    names = SystemRow.__dataclass_fields__.keys() - {"last"}
    return SystemRow(last=last, **{name: row[name] for name in names})
