"""Histories of events, logins, codes, cards, consents, links, unlinks and merges: nobody ever sees what is
somebody else's, and when somebody is erased nothing about them opens any more.
"""

from itertools import chain

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.security.histories import LEA, NAMESAKE, PAUL, ZOE, History

pytestmark = pytest.mark.postgres
METHODS = ("franceconnect", "plus", "local", "unproved")

humans = st.sampled_from(range(4))
methods = st.sampled_from(METHODS)
numbers = st.integers(0, 5)
acts = st.one_of(
    st.tuples(st.just("event"), humans),
    st.tuples(st.just("sign_in"), humans, methods),
    st.tuples(st.just("redeem"), humans, numbers),
    st.tuples(st.just("link"), humans, methods),
    st.tuples(st.just("unlink"), humans, methods),
    st.tuples(st.just("sign_out"), humans),
    st.tuples(st.just("replay"), humans, methods),
    st.tuples(st.just("plant"), humans, methods),
    st.tuples(st.just("agree"), humans, st.sampled_from(("given", "withdrawn"))),
    st.tuples(st.just("like"), humans, st.booleans()),
    st.tuples(st.just("card"), humans),
    st.tuples(st.just("close"), humans, numbers),
    st.tuples(st.just("agent")),
    st.tuples(st.just("undo")),
)
everybody = st.permutations(range(4)).flatmap(
    lambda order: st.tuples(
        *(st.tuples(st.just("sign_in"), st.just(human), methods) for human in order)
    )
)
told = st.tuples(*(st.tuples(st.just("event"), st.just(human)) for human in range(4)))


def histories(most):
    """Everybody is announced and comes once; then anything."""
    return st.builds(
        lambda *parts: list(chain(*parts)), told, everybody, st.lists(acts, max_size=most)
    )


def play(history, database, vault, hub_keys, erased=ZOE):
    hub = History(database, vault, hub_keys)
    hub.play(history)
    hub.erase(erased)


_ANY = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@settings(max_examples=20, **_ANY)
@given(history=histories(8), erased=humans)
def test_no_history_shows_a_person_what_is_anothers(history, erased, database, vault, hub_keys):
    play(history, database, vault, hub_keys, erased)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=500, **_ANY)
@given(history=histories(40), erased=humans)
def test_no_long_history_shows_a_person_what_is_anothers(
    history, erased, database, vault, hub_keys
):
    play(history, database, vault, hub_keys, erased)


def test_a_history_with_everything_in_it(database, vault, hub_keys):
    play(
        [
            ("event", ZOE),
            ("event", LEA),
            ("event", ZOE),
            ("sign_in", ZOE, "franceconnect"),
            ("redeem", ZOE, 0),
            ("redeem", ZOE, 0),
            ("agree", ZOE, "given"),
            ("like", ZOE, True),
            ("card", ZOE),
            ("link", ZOE, "local"),
            ("unlink", ZOE, "franceconnect"),
            ("sign_in", ZOE, "franceconnect"),
            ("redeem", ZOE, 1),
            ("agent",),
            ("sign_in", ZOE, "local"),
            ("agree", ZOE, "withdrawn"),
            ("card", ZOE),
            ("undo",),
            ("sign_in", ZOE, "local"),
            ("sign_in", LEA, "franceconnect"),
            ("sign_in", NAMESAKE, "franceconnect"),
            ("agent",),
            ("agent",),
            ("sign_in", NAMESAKE, "franceconnect"),
            ("sign_in", LEA, "franceconnect"),
            ("redeem", LEA, 0),
            ("link", ZOE, "plus"),
            ("plant", PAUL, "local"),
            ("replay", ZOE, "franceconnect"),
            ("sign_out", ZOE),
            ("sign_in", PAUL, "unproved"),
            ("sign_in", PAUL, "local"),
            ("card", PAUL),
            ("like", PAUL, True),
            ("close", PAUL, 0),
            ("redeem", PAUL, 0),
        ],
        database,
        vault,
        hub_keys,
    )
    used = "SELECT count(*) AS n FROM access_code WHERE redeemed_at IS NOT NULL"
    assert database.one(used)["n"] == 3
    assert len(database.all("SELECT FROM merge WHERE undone_at IS NOT NULL")) == 1
