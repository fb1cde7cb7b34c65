import resource
import time

import pytest

from orchestrator.store.committer import Committer
from orchestrator.store.intake import PostgresInbox
from orchestrator.store.notifier import Notifier
from tests.fakes.partner import Hub, answer_to
from tests.security.hostile import Hostile

MOST_GROWTH_KIB = 100 * 1024


def check(answer, environ):
    where = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO'][:60]!r}"
    assert answer.status < 500, f"{where}: {answer.status} {answer.body[:300]!r}"
    if answer.status >= 400:
        assert answer["Content-Type"] == "application/problem+json", where
    if answer.status >= 400 and environ["REQUEST_METHOD"] != "HEAD":
        assert answer.json["status"] == answer.status
        assert answer.json["request_id"] == answer["Parvis-Request-Id"]


@pytest.mark.parametrize(
    "requests", [5_000, pytest.param(20_000, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_hostile_requests_give_no_5xx_and_no_growth(requests):
    hub, hostile, statuses = Hub(), Hostile(20261122), {}
    slowest = 0.0
    for number in range(requests):
        environ = hostile.environ()
        started = time.perf_counter()
        answer = answer_to(hub.app, environ)
        slowest = max(slowest, time.perf_counter() - started)
        check(answer, environ)
        statuses[answer.status] = statuses.get(answer.status, 0) + 1
        if number == 2_000:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if number % 500 == 0:
            hub.inbox.arrivals.clear()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < MOST_GROWTH_KIB
    assert slowest < 1
    assert {200, 202, 400, 401, 403, 404, 405, 413, 415, 422} <= set(statuses)


@pytest.mark.postgres
@pytest.mark.timeout(60)
def test_the_database_is_given_nothing_it_refuses(database, vault):
    inbox = PostgresInbox(database, Committer(database), vault, Notifier(database))
    hub, hostile = Hub(inbox=inbox), Hostile(7)
    accepted = 0
    for _ in range(1_500):
        environ = hostile.environ()
        answer = answer_to(hub.app, environ)
        check(answer, environ)
        if answer.status == 202:
            accepted += sum(item["status"] == "accepted" for item in answer.json["results"])
    assert database.one("SELECT count(*) AS n FROM inbox")["n"] == accepted > 100
