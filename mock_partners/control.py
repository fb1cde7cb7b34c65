"""The control plane: ``/_mock/…`` on the mock's own port, never on the faked paths."""

import json
from urllib.parse import parse_qs

from mock_partners.clock import parse_instant, rfc3339
from mock_partners.desk import App, View
from mock_partners.faults import FaultRefusedError
from mock_partners.wire import Answer, Request, json_answer

__all__ = ["PREFIX", "Control"]

PREFIX = "/_mock/"


class ControlError(Exception):
    """The control request cannot be understood."""


class Control:
    """Arms and clears faults, shows the journal, resets, turns the clock."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._routes: dict[tuple[str, str], View] = {
            ("GET", "faults"): self._list_faults,
            ("POST", "faults"): self._arm,
            ("DELETE", "faults"): self._clear,
            ("GET", "journal"): self._journal,
            ("POST", "reset"): self._reset,
            ("GET", "clock"): self._clock,
            ("PUT", "clock"): self._turn,
            ("GET", "operations"): self._operations,
            **{("GET", name): view for name, view in app.views().items()},
            **app.actions(),
        }

    def answer(self, request: Request) -> Answer:
        """Answer one control request; a wrong one says what is wrong."""
        name = request.path.removeprefix(PREFIX)
        view = self._routes.get((request.method, name))
        if view is None:
            known = sorted(f"{method} {PREFIX}{route}" for method, route in self._routes)
            return json_answer(404, {"error": "unknown control route", "routes": known})
        try:
            return json_answer(200, view(request))
        except (ControlError, FaultRefusedError, ValueError) as error:
            return json_answer(400, {"error": str(error)})

    def _list_faults(self, _: Request) -> object:
        return {"faults": [fault.as_json() for fault in self._app.rig.faults.listed()]}

    def _arm(self, request: Request) -> object:
        document = json.loads(request.body)
        faults = document if isinstance(document, list) else [document]
        return {"armed": [fault.as_json() for fault in self._app.rig.faults.arm(faults)]}

    def _clear(self, _: Request) -> object:
        return {"cleared": self._app.rig.faults.clear()}

    def _journal(self, request: Request) -> object:
        query = parse_qs(request.query)
        after = int(query.get("after", ["0"])[0])
        limit = int(query["limit"][0]) if "limit" in query else None
        return {"entries": self._app.rig.journal.page(after=after, limit=limit)}

    def _reset(self, _: Request) -> object:
        self._app.reset()
        return {"reset": True}

    def _clock(self, _: Request) -> object:
        return {"now": rfc3339(self._app.rig.clock.now())}

    def _turn(self, request: Request) -> object:
        document = json.loads(request.body)
        now = document.get("now") if isinstance(document, dict) else None
        if not isinstance(now, str):
            msg = 'the clock takes {"now": "2026-11-22T15:00:00Z"}'
            raise ControlError(msg)
        self._app.rig.clock.turn(parse_instant(now))
        return self._clock(request)

    def _operations(self, _: Request) -> object:
        return {"operations": sorted(self._app.rig.faults.operations)}
