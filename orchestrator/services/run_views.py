"""The console's view of runs: pages of a list, and one run with its attempts drawn in time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final
from uuid import UUID

from orchestrator.engine.journey import Journey
from orchestrator.engine.runs import ENDED
from orchestrator.services.masking import (
    MaskedBody,
    mask_address,
    mask_detail,
    mask_exchange,
    mask_message,
)
from orchestrator.services.ports.views import (
    OWN_PAGES,
    Counters,
    ExchangeRow,
    Looked,
    Position,
    PreregistrationRow,
    RunFilter,
    RunLine,
    RunRows,
    RunSheet,
    StepRow,
    Way,
)
from schemas import clock
from schemas.cloudevents import partner_of

PAGE: Final = 50
LONG_PAUSE: Final = timedelta(seconds=2)
_PAUSE_SHARE: Final = 0.08
_PAUSES_AT_MOST: Final = 0.5
_THINNEST: Final = 0.6


# --- lists ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsPage:
    """A page of runs; ``newer`` and ``older`` are where the next pages start, if there are any.

    ``stopped_at`` says that the search went through many runs and may go on from there.
    """

    lines: Sequence[RunLine]
    newer: Position | None
    older: Position | None
    stopped_at: Position | None = None


# --- one run -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Where something stands in the width of a drawing, in hundredths."""

    left: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt as it is shown; ``pause`` is the long wait before it, if there was one."""

    row: StepRow
    bar: Bar
    seconds: float
    error_class: str | None
    detail: str | None
    system: str | None
    pause: timedelta | None
    pause_bar: Bar | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeView:
    """One call with a system, its bodies masked."""

    row: ExchangeRow
    address: str
    request: MaskedBody
    response: MaskedBody
    to_leave_ms: float | None
    to_answer_ms: float | None
    to_read_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    """The message a run started with, masked."""

    partner: str | None
    event_id: str
    type: str
    received_at: datetime
    body: MaskedBody


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """One run as its page shows it; ``ahead`` names the steps that are still to come."""

    line: RunLine
    attempts: Sequence[Attempt]
    earlier_attempts: int | None
    ahead: Sequence[str]
    exchanges: Sequence[ExchangeView]
    earlier_exchanges: UUID | None
    message: MessageView | None
    preregistration: PreregistrationRow | None
    is_version_known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunViews:
    """Reads runs for people; nothing here changes anything."""

    rows: RunRows
    journeys: Callable[[str, int], Journey | None]
    journey_names: Sequence[str]

    def counters(self) -> Counters:
        """Return the counters of the first page."""
        return self.rows.counters()

    def partners(self) -> Mapping[str, str]:
        """Return the names of the partners by id."""
        return self.rows.partners()

    def page(
        self, asked: RunFilter, *, start: Position | None = None, way: Way = Way.OLDER
    ) -> RunsPage:
        """Return a page; one that would begin above the newest row begins at it instead."""
        looked = self.rows.page(asked, size=PAGE, start=start, way=way)
        if way is Way.NEWER and not looked.has_more and looked.stopped_at is None:
            return self.page(asked)
        return _page(looked, start, way)

    def has_any(self, asked: RunFilter) -> bool:
        """Tell whether a filter finds anything; used to say which one to drop."""
        return bool(self.rows.page(asked, size=1).lines)

    def run(
        self, run_id: UUID, *, steps_before: int | None = None, exchanges_before: UUID | None = None
    ) -> RunView | None:
        """Return one run with its bodies masked, or None."""
        sheet = self.rows.sheet(
            run_id, steps_before=steps_before, exchanges_before=exchanges_before
        )
        if sheet is None:
            return None
        journey = self.journeys(sheet.line.journey, sheet.line.version)
        return RunView(
            line=sheet.line,
            attempts=drawn(sheet.steps),
            earlier_attempts=sheet.steps[0].seq if sheet.has_earlier_steps else None,
            ahead=_ahead(sheet, journey),
            exchanges=[_exchange(row) for row in sheet.exchanges],
            earlier_exchanges=sheet.exchanges[0].id if sheet.has_earlier_exchanges else None,
            message=_message(sheet),
            preregistration=sheet.preregistration,
            is_version_known=journey is not None,
        )


def sender_of(source: str | None) -> str | None:
    """Return the partner behind a source, ``OWN_PAGES`` for ours, None for anything else.

    The rest of a source is the sender's own and is not shown: it may say more than it should.
    """
    if source is None:
        return None
    return OWN_PAGES if source.startswith("/hub/") else partner_of(source)


def drawn(steps: Sequence[StepRow]) -> Sequence[Attempt]:
    """Return the attempts with their place in time; long waits are drawn short, and said."""
    if not steps:
        return []
    gaps = [timedelta(), *(_gap(before, after) for before, after in pairwise(steps))]
    pauses = sum(gap > LONG_PAUSE for gap in gaps)
    pause_width = 100 * min(_PAUSE_SHARE, _PAUSES_AT_MOST / max(pauses, 1))
    moving = sum((row.ended_at - row.started_at for row in steps), timedelta())
    moving += sum((gap for gap in gaps if gap <= LONG_PAUSE), timedelta())
    scale = (100 - pause_width * pauses) / max(moving.total_seconds(), 1e-6)
    attempts, at = [], 0.0
    for row, gap in zip(steps, gaps, strict=True):
        is_pause = gap > LONG_PAUSE
        before = pause_width if is_pause else gap.total_seconds() * scale
        width = (row.ended_at - row.started_at).total_seconds() * scale
        pause_bar = Bar(left=round(at, 2), width=round(before, 2)) if is_pause else None
        attempts.append(
            _attempt(row, _bar(at + before, width), gap if is_pause else None, pause_bar)
        )
        at += before + width
    return attempts


def _gap(before: StepRow, after: StepRow) -> timedelta:
    return max(timedelta(), after.started_at - before.ended_at)


def _bar(left: float, width: float) -> Bar:
    shown = max(width, _THINNEST)
    return Bar(left=round(min(left, 100 - shown), 2), width=round(shown, 2))


def _attempt(row: StepRow, bar: Bar, pause: timedelta | None, pause_bar: Bar | None) -> Attempt:
    error = row.error or {}
    return Attempt(
        row=row,
        bar=bar,
        seconds=(row.ended_at - row.started_at).total_seconds(),
        error_class=error.get("class"),
        detail=mask_detail(error.get("detail")),
        system=error.get("profile"),
        pause=pause,
        pause_bar=pause_bar,
    )


def _page(looked: Looked, start: Position | None, way: Way) -> RunsPage:
    if not looked.lines:
        return RunsPage(lines=[], newer=start, older=None, stopped_at=looked.stopped_at)
    first, last = looked.lines[0].position, looked.lines[-1].position
    has_older = looked.has_more if way is Way.OLDER else True
    has_newer = looked.has_more if way is Way.NEWER else start is not None
    return RunsPage(
        lines=looked.lines,
        newer=first if has_newer else None,
        older=last if has_older else None,
        stopped_at=looked.stopped_at,
    )


def _ahead(sheet: RunSheet, journey: Journey | None) -> Sequence[str]:
    if journey is None or sheet.line.status in ENDED:
        return []
    return [step.name for step in journey.steps[sheet.step :]]


def _exchange(row: ExchangeRow) -> ExchangeView:
    return ExchangeView(
        row=row,
        address=mask_address(row.address),
        request=mask_exchange(row.request),
        response=mask_exchange(row.response),
        to_leave_ms=_milliseconds(row.asked_at, row.sent_at),
        to_answer_ms=_milliseconds(row.sent_at, row.answered_at),
        to_read_ms=_milliseconds(row.answered_at, row.ended_at),
    )


def _milliseconds(begun: datetime | None, ended: datetime | None) -> float | None:
    if begun is None or ended is None:
        return None
    return round((ended - begun).total_seconds() * 1000, 1)


def _message(sheet: RunSheet) -> MessageView | None:
    row = sheet.message
    if row is None:
        return None
    return MessageView(
        partner=sender_of(row.source),
        event_id=row.event_id,
        type=row.type,
        received_at=row.received_at,
        body=mask_message(row.body, row.type),
    )


def within(asked: RunFilter, span: timedelta | None) -> RunFilter:
    """Return a filter narrowed to the runs begun within a span of time."""
    return replace(asked, since=clock.utcnow() - span if span else None)
