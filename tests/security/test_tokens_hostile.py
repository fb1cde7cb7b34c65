"""Hostile tokens: none accepted, no 5xx, only our refusals, each at once."""

import random
import time
from collections import Counter

import pytest

from identity.tokens import Reason, read_bearer
from tests.fakes.portal import PortalHub, citizen_token
from tests.fakes.tokens import AUDIENCE, header
from tests.security.fuzz_tokens import GOOD, KEYS, NOW, fuzz, headers

PATHS = ("/v1/me", "/v1/me/accounts", "/v1/me/logins", "/v1/services")
# what only a realm that signs wrongly, or an over-long header, leads to is rare in a small run
USUAL = set(Reason) - {Reason.TOO_LONG, Reason.EXPIRED, Reason.NOT_YET, Reason.LIFETIME}


def test_hundreds_of_mutated_tokens_are_refused_each_for_a_reason_of_ours():
    reasons = fuzz(600, seed=1)
    assert USUAL - {Reason.UNKNOWN_KEY} <= set(reasons) <= set(Reason)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_twenty_thousand_mutated_tokens_are_refused_each_for_a_reason_of_ours():
    reasons = fuzz(20_000, seed=2)
    assert USUAL <= set(reasons) <= set(Reason)


def answers(hub, source, count):
    """Send mutated tokens; what was answered, and the longest processor time of one."""
    found, slowest = Counter(), 0.0
    mutated = headers(source)
    while found.total() < count:
        value = next(mutated)
        path = source.choice(PATHS)
        began = time.process_time()
        answer = hub.send("GET", path, headers={"Authorization": value})
        slowest = max(slowest, time.process_time() - began)
        assert answer.json["status"] == answer.status, value
        assert answer["WWW-Authenticate"].startswith('Bearer error="invalid_'), value
        found[answer.status, answer.slug] += 1
    return found, slowest


def test_at_the_face_they_are_all_401_at_once_and_cost_the_realm_one_fetch():
    hub = PortalHub()
    found, slowest = answers(hub, random.Random(3), 400)
    assert set(found) == {(401, "not-authenticated")}
    assert slowest < 0.1
    assert hub.realm.asked == 1


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_at_the_face_twenty_thousand_are_all_401_at_once():
    hub = PortalHub()
    found, slowest = answers(hub, random.Random(4), 20_000)
    assert set(found) == {(401, "not-authenticated")}
    assert slowest < 0.1
    assert hub.realm.asked == 1


def test_the_tokens_they_are_made_from_are_good():
    for token in GOOD:
        assert read_bearer(f"Bearer {token}", audience=AUDIENCE, key_of=KEYS.get, now=NOW)


def test_a_flood_of_key_names_costs_the_realm_one_fetch_a_minute():
    hub = PortalHub()
    good = citizen_token()
    for number in range(300):
        flooding = citizen_token(header=header(kid=f"invented-{number}"))
        assert hub.get("/v1/me", token=flooding).status == 401
        if number % 25 == 0:
            assert hub.get("/v1/me", token=good).status == 200
        hub.elapsed += 1
    assert hub.realm.asked == 5
