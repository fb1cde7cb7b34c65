"""The worker's loop: takes wakes, gives each run a greenlet, drains on request."""

import random
from collections import defaultdict
from collections.abc import Callable
from typing import Final
from uuid import UUID

import gevent
import structlog
from gevent.event import Event
from gevent.pool import Pool

from orchestrator.engine.faults import FaultPoint, no_faults
from orchestrator.runtime.executor import Executor
from orchestrator.services.ports.waking import RunHeldError, Wake, Waker, WakesAwayError
from schemas import clock

log = structlog.get_logger()
_STANDBY_SECONDS: Final = 1.0
_LAST_LOOK_SECONDS: Final = 1.5  # a little more than a waker waits at most
PATIENCE_SECONDS: Final = 10.0  # with a slow last call on top, well within the grace of a stop
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_FIRST_LOOK, _LONGEST_LOOK = 0.01, 1.0


class Worker:
    """Runs journeys in greenlets until it is asked to stop."""

    def __init__(
        self,
        *,
        waker: Waker,
        executor: Executor,
        greenlets: int,
        on_active: Callable[[], None] = lambda: None,
        fault: FaultPoint = no_faults,
    ) -> None:
        self._waker = waker
        self._executor = executor
        self._pool = Pool(greenlets)
        self._on_active = on_active
        self._fault = fault
        self._stopping, self._ended = Event(), Event()
        self._ended.set()
        self._late_at = float("inf")
        self._in_hand: dict[UUID, list[int]] = {}
        self._again: dict[UUID, list[Wake]] = defaultdict(list)
        self._pause = _FIRST_PAUSE

    def run(self) -> None:
        """Work until ``stop``; survives what wakes us going away, and its runs in hand go on."""
        self._ended.clear()
        try:
            while not self._stopping.is_set():
                self._work_or_stand_by()
        finally:
            self._ended.set()

    def stop(
        self, *, grace_seconds: float = 45.0, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Take no more wakes; runs in hand end or park, in time, or go to others after their step.

        Args:
            grace_seconds: After so long whatever is still in hand is left; its wake comes again.
            patience_seconds: After so long a run goes to another worker between two steps.
        """
        self._late_at = clock.monotonic() + patience_seconds
        self._stopping.set()
        self._waker.drain()
        self._pool.join(timeout=grace_seconds)
        self._ended.wait(_LAST_LOOK_SECONDS)  # nothing is closed under whoever still waits for it
        self._waker.close()

    def _work_or_stand_by(self) -> None:
        try:
            if self._waker.acquire():
                log.info("worker.active")
                self._on_active()
                self._serve()
            else:
                self._stopping.wait(_STANDBY_SECONDS)
        except WakesAwayError as error:
            self._step_back(error)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            for wake in self._waker.take(self._pool.free_count()):
                self._hand_out(wake)
            self._pause = _FIRST_PAUSE
            if self._stopping.is_set():
                return
            if self._pool.free_count() == 0:
                self._pool.wait_available(timeout=1.0)
            else:
                self._waker.wait()

    def _step_back(self, error: WakesAwayError) -> None:
        """Close what broke and wait: longer each time, never the same for every worker."""
        cause = error.__cause__
        log.warning("worker.wakes_away", error=type(cause or error).__name__, reason=str(error))
        self._waker.close()
        self._stopping.wait(self._pause * random.uniform(0.7, 1.3))  # noqa: S311 - spreads load
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _hand_out(self, wake: Wake) -> None:
        """Give a wake's run a greenlet; a run already in hand is looked at again afterwards."""
        if wake.run_id in self._in_hand:
            self._again[wake.run_id].append(wake)
            return
        self._in_hand[wake.run_id] = [wake.id]
        self._pool.spawn(self._work, wake)

    def _work(self, wake: Wake) -> None:
        run_id = wake.run_id
        try:
            is_served = self._serve_run(run_id, redelivered=wake.redelivered)
        except Exception as error:  # noqa: BLE001 - whatever happened, the wake is given back
            log.warning("worker.run_given_back", error=type(error).__name__, run_id=str(run_id))
            gevent.sleep(0.5)
            is_served = False
        if is_served:
            self._fault("waker.before_delete")
        self._leave(run_id, self._waker.settle if is_served else self._waker.give_back)

    def _serve_run(self, run_id: UUID, *, redelivered: bool) -> bool:
        """Take a run as far as it goes, and again if it was woken meanwhile; False to hand it over."""
        while self._execute(run_id, redelivered=redelivered):
            later = self._again.pop(run_id, None)
            if not later:
                return True
            self._in_hand[run_id] += [again.id for again in later]
            redelivered = any(again.redelivered for again in later)
        log.info("worker.run_handed_over", run_id=str(run_id))
        return False

    def _execute(self, run_id: UUID, *, redelivered: bool) -> bool:
        """Execute a run as soon as no other process has it in hand; False to hand it over."""
        pause = _FIRST_LOOK
        while True:
            try:
                return self._executor.execute(run_id, redelivered=redelivered, until=self._is_late)
            except RunHeldError:
                if self._stopping.is_set():
                    return False
            redelivered = True  # whoever has it may end in the middle of a call
            gevent.sleep(pause)
            pause = min(2 * pause, _LONGEST_LOOK)

    def _is_late(self) -> bool:
        """Tell whether we stop and waited long enough for the runs in hand."""
        return clock.monotonic() > self._late_at

    def _leave(self, run_id: UUID, tell: Callable[[list[int]], None]) -> None:
        held = self._in_hand.pop(run_id, [])
        held += [wake.id for wake in self._again.pop(run_id, [])]
        tell(held)
