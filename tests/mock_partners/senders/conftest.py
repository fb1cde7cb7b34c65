"""A hub that keeps what it receives and answers as the published results say."""

import json
from collections.abc import Mapping

import pytest

from mock_partners.clock import MockClock
from mock_partners.desk import Desk
from mock_partners.faults import RECEIVING
from mock_partners.wire import json_answer


class Hub:
    operations = frozenset({"events"})
    error_bodies: Mapping = {}

    def __init__(self):
        self.received, self.known = [], set()

    def reset(self):
        self.__init__()

    def operation(self, request):
        return "events"

    def answer(self, request):
        self.received.append(request)
        if request.path != "/v1/events":
            return json_answer(202, {"results": []})
        event = json.loads(request.body)
        status = "duplicate" if event["id"] in self.known else "accepted"
        self.known.add(event["id"])
        return json_answer(202, {"results": [{"id": event["id"], "status": status}]})

    def revoked(self, request):
        return json_answer(401, {})

    def lose_sessions(self):
        pass

    def views(self):
        return {}


@pytest.fixture
def hub():
    return Hub()


@pytest.fixture
def hub_client(start, hub):
    return start(Desk(hub, faults=RECEIVING, clock=MockClock()))


@pytest.fixture
def bench(start_kind, hub_client):
    return start_kind("senders", hub_url=hub_client.server.url)
