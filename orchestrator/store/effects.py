"""The effects of a step as SQL: one more part of the transition's statement per kind of effect.

Every part takes the rows of runs that the fence let through (``r``), so a fenced-off worker changes
nothing. It looks them up in an array: a join, planned without hashes, would look at each pair of rows.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.engine import effects as e
from orchestrator.store.arrays import Array, array, columns_of
from orchestrator.store.vault import DataKey
from schemas import ids

RUN_ENDED: Final = "run.ended.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """How one kind of effect is written: typed columns, the SQL, and how a row is read off it."""

    columns: tuple[tuple[str, str], ...]
    sql: str
    row: Callable[[Any, DataKey | None], Sequence[Any]]


def _fields(*names: str) -> Callable[[Any, DataKey | None], Sequence[Any]]:
    return lambda effect, _key: [getattr(effect, name) for name in names]


def _insert(table: str, columns: str, *, conflict: str = "", with_run: bool = False) -> _Part:
    typed = tuple(_typed(column) for column in columns.split(", "))
    names = [name for name, _ in typed]
    target = [*names, *(["run_id"] if with_run else [])]
    taken = [f"x.{name}" for name in names] + (["x.run"] if with_run else [])
    sql = f"INSERT INTO {table}({', '.join(target)}) SELECT {', '.join(taken)} FROM {{rows}} {conflict}"
    return _Part(columns=typed, sql=sql, row=_fields(*names))


def _typed(column: str) -> tuple[str, str]:
    name, _, kind = column.partition(":")
    return name, kind or "text"


def _consent_row(effect: e.ConsentRecorded, _key: DataKey | None) -> Sequence[Any]:
    return [
        effect.record_id,
        effect.subject_ref,
        effect.controller,
        json.dumps(effect.purposes),
        effect.channel,
        json.dumps(effect.recipients),
        effect.notice_version,
        effect.notice_sha256,
        effect.locale,
        json.dumps(dict(effect.ui_evidence)),
        effect.collected_by,
        effect.event_type,
        effect.event_time,
        effect.validity_end,
    ]


def _exchange_row(effect: e.ExchangeMade, key: DataKey | None) -> Sequence[Any]:
    made, row_id = effect.exchange, ids.uuid7()

    def sealed(body: Any) -> bytes | None:
        return key.seal_json(row_id, body) if key is not None and body is not None else None

    return [
        row_id,
        effect.step,
        made.profile,
        made.operation,
        made.address,
        made.status,
        made.outcome,
        made.idempotency_key,
        sealed(made.request),
        sealed(made.response),
        key.id if key is not None else None,
        made.asked_at,
        made.sent_at,
        made.answered_at,
        made.ended_at,
    ]


_LIST: Final = "ARRAY(SELECT jsonb_array_elements_text(x.{0}::jsonb))"
_CONSENT: Final = (
    "record_id:uuid, subject_ref, controller, purposes, channel, recipients, notice_version, "
    "notice_sha256, locale, ui_evidence, collected_by, event_type, event_time:timestamptz, "
    "validity_end:timestamptz"
)
_EXCHANGE: Final = (
    "id:uuid, step, profile, operation, address, status:int, outcome, idempotency_key, "
    "request:bytea, response:bytea, data_key_id:uuid, asked_at:timestamptz, sent_at:timestamptz, "
    "answered_at:timestamptz, ended_at:timestamptz"
)


def _update(columns: str, sql: str) -> _Part:
    typed = tuple(_typed(column) for column in columns.split(", "))
    return _Part(columns=typed, sql=sql, row=_fields(*(name for name, _ in typed)))


def _consent_part() -> _Part:
    made = _insert("consent_record", _CONSENT)
    sql = made.sql
    for name in ("purposes", "recipients"):
        sql = sql.replace(f"x.{name}", _LIST.format(name))
    return _Part(
        columns=made.columns,
        sql=sql.replace("x.ui_evidence", "x.ui_evidence::jsonb"),
        row=_consent_row,
    )


_PARTS: Final[dict[type, _Part]] = {
    e.CitizenAnnounced: _insert("citizen", "id:uuid, language, age_band"),
    e.DataKeyGiven: _update(
        "id:uuid, citizen_id:uuid",
        "UPDATE data_key k SET citizen_id = x.citizen_id FROM {rows} WHERE k.id = x.id",
    ),
    e.PseudonymGiven: _insert(
        "pseudonym", "citizen_id:uuid, service, pseudonym", conflict="ON CONFLICT DO NOTHING"
    ),
    e.PreregistrationStaged: _insert(
        "preregistration",
        "id:uuid, source, subject, citizen_id:uuid, our_ref, expires_at:timestamptz",
        with_run=True,
    ),
    e.PreregistrationRenewed: _update(
        "id:uuid, expires_at:timestamptz",
        "UPDATE preregistration p SET state = 'staged', run_id = x.run, expires_at = x.expires_at, "
        "updated_at = parvis_now() FROM {rows} WHERE p.id = x.id",
    ),
    e.PlaceChosen: _update(
        "id:uuid, place_id, service_id",
        "UPDATE preregistration p SET place_id = x.place_id, service_id = x.service_id, "
        "updated_at = parvis_now() FROM {rows} WHERE p.id = x.id",
    ),
    e.PreregistrationMoved: _update(
        "id:uuid, state, external_ref",
        "UPDATE preregistration p SET state = x.state, updated_at = parvis_now(), "
        "external_ref = coalesce(x.external_ref, p.external_ref) FROM {rows} WHERE p.id = x.id",
    ),
    e.ConsentRecorded: _consent_part(),
    e.InterestKept: _insert(
        "interest", "citizen_id:uuid, theme", conflict="ON CONFLICT DO NOTHING"
    ),
    e.AccessCodeIssued: _insert(
        "access_code",
        "id:uuid, preregistration_id:uuid, digest:bytea, expires_at:timestamptz",
        with_run=True,
        conflict="ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at, "
        "run_id = excluded.run_id WHERE access_code.redeemed_at IS NULL",
    ),
    e.NotificationSent: _Part(
        columns=(
            made := _insert(
                "notification",
                "id:uuid, citizen_id:uuid, template, language, channel, purpose, basis_record:uuid, "
                "profile, provider_ref, segments:int",
                with_run=True,
            )
        ).columns,
        sql=made.sql.replace("run_id)", "run_id, status)").replace("x.run ", "x.run, 'sent' "),
        row=made.row,
    ),
    e.SignalConsumed: _update(
        "id:uuid",
        "UPDATE signal g SET consumed_by_seq = (SELECT r.seq FROM r WHERE r.id = x.run) "
        "FROM {rows} WHERE g.id = x.id",
    ),
    e.AccessCodeRevoked: _update(
        "id:uuid",
        "UPDATE access_code c SET expires_at = least(c.expires_at, parvis_now()) FROM {rows} "
        "WHERE c.id = x.id AND c.redeemed_at IS NULL",
    ),
    e.AccessCodesReplaced: _update(
        "id:uuid",
        "UPDATE access_code c SET expires_at = least(c.expires_at, parvis_now()) FROM {rows} "
        "WHERE c.run_id = x.run AND c.id <> x.id AND c.redeemed_at IS NULL",
    ),
    e.TaskOpened: _Part(
        columns=(
            made := _insert(
                "human_task",
                "id:uuid, step, kind, question, decisions",
                with_run=True,
                conflict="ON CONFLICT (run_id, step) WHERE closed_at IS NULL DO NOTHING",
            )
        ).columns,
        sql=made.sql.replace("x.decisions", "string_to_array(x.decisions, ' ')"),
        row=made.row,
    ),
    e.TasksClosed: _update(
        "reason",
        "UPDATE human_task h SET closed_at = parvis_now(), decision = x.reason, "
        "decided_by = 'worker' FROM {rows} WHERE h.run_id = x.run AND h.closed_at IS NULL",
    ),
    e.RunEnded: _update(
        "journey, outcome, service, territory",
        f"INSERT INTO outbox(topic, key, payload) SELECT '{RUN_ENDED}', x.run, "
        "jsonb_build_object('data', jsonb_strip_nulls(jsonb_build_object('run_id', x.run, "
        "'journey', x.journey, 'outcome', x.outcome, 'service', x.service, "
        "'territory', x.territory))) FROM {rows}",
    ),
    e.ExchangeMade: _Part(
        columns=(made := _insert("exchange", _EXCHANGE, with_run=True)).columns,
        sql=made.sql,
        row=_exchange_row,
    ),
}
KINDS: Final = tuple(_PARTS)
_NAMES: Final = {kind: f"k{number}" for number, kind in enumerate(KINDS)}


def statement_part(kind: type) -> str:
    """Return the further part of the transition's statement that writes one kind of effect."""
    part, name = _PARTS[kind], _NAMES[kind]
    arrays = ", ".join(f"%({name}_{column})b::{sql}[]" for column, sql in part.columns)
    columns = ", ".join(column for column, _ in part.columns)
    rows = (
        f"(SELECT * FROM unnest(%({name}_run)b::uuid[], {arrays}) AS u(run, {columns}) "
        "WHERE u.run = ANY((SELECT array_agg(id) FROM r)::uuid[])) AS x"
    )
    return f", {name} AS ({part.sql.format(rows=rows)})"


def parameters(
    kind: type, made: Sequence[tuple[Any, e.Effect, DataKey | None]]
) -> dict[str, Array]:
    """Return the arrays of one kind; ``made`` holds (run id, effect, data key of the run)."""
    part, name = _PARTS[kind], _NAMES[kind]
    rows = [part.row(effect, key) for _, effect, key in made]
    values = {f"{name}_run": array("uuid", [run_id for run_id, _, _ in made])}
    return values | columns_of(part.columns, rows, prefix=f"{name}_")
