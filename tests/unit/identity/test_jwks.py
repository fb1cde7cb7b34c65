"""The realm's keys at hand: rotation, floods of unknown names, a realm that is away."""

import json
import threading

import pytest
from structlog.testing import capture_logs

from identity.jwks import KeySetUnusableError, RealmKeys, key_set_url, read_keys
from schemas.errors import IdentityUnavailableError
from tests.fakes.tokens import LEFT_OUT, base64url, private_key, public_jwk


def a_set(*keys):
    return json.dumps({"keys": list(keys)}).encode()


class Realm:
    """What the address of the keys answers, and how often it was asked."""

    def __init__(self, *names):
        self.asked = 0
        self.answer = None
        self.rotate(*names)

    def rotate(self, *names):
        self.answer = a_set(*(public_jwk(name) for name in names))

    def __call__(self):
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Elapsed:
    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def realm():
    return Realm("k1")


@pytest.fixture
def elapsed():
    return Elapsed()


@pytest.fixture
def keys(realm, elapsed):
    return RealmKeys(realm, monotonic=elapsed, spawn=lambda job: job())


def test_a_key_is_fetched_once_and_then_at_hand(keys, realm):
    assert all(keys.key("k1").kid == "k1" for _ in range(100))
    assert realm.asked == 1


def test_a_new_key_is_found_without_a_restart_and_the_old_one_goes_on(keys, realm, elapsed):
    keys.key("k1")
    realm.rotate("k2", "k1")
    elapsed.seconds += 60
    assert keys.key("k1")
    assert realm.asked == 1
    assert keys.key("k2")
    assert keys.key("k1")
    assert realm.asked == 2


def test_a_key_the_realm_took_away_is_gone_with_the_next_set(keys, realm, elapsed):
    keys.key("k1")
    realm.rotate("k2")
    elapsed.seconds += 60
    assert keys.key("k2")
    assert keys.key("k1") is None


def test_a_key_the_realm_took_away_is_noticed_without_an_unknown_one(keys, realm, elapsed):
    keys.key("k1")
    realm.rotate("k2")
    elapsed.seconds += 601
    keys.key("k1")
    assert keys.key("k1") is None


def test_a_flood_of_invented_names_costs_one_fetch_a_minute(keys, realm, elapsed):
    for number in range(6_000):
        assert keys.key(f"invented-{number}") is None
        elapsed.seconds += 0.1
    assert realm.asked == 10


def test_one_invented_name_over_and_over_costs_less_still(keys, realm, elapsed):
    for _ in range(6_000):
        assert keys.key("invented") is None
        elapsed.seconds += 0.1
    assert realm.asked == 5


def test_a_name_asked_between_two_fetches_is_looked_for_at_the_next(keys, realm, elapsed):
    keys.key("k1")
    realm.rotate("k1", "k2")
    elapsed.seconds += 5
    assert keys.key("k2") is None
    elapsed.seconds += 56
    assert keys.key("k2")


def test_what_is_remembered_of_invented_names_is_bounded(realm, elapsed):
    realm.answer = a_set(public_jwk("k1"))
    keys = RealmKeys(realm, monotonic=elapsed, spawn=lambda job: job())
    for number in range(2_000):
        keys.key(f"invented-{number}")
        elapsed.seconds += 61
    assert len(keys._unknown) <= 256


def test_without_any_set_and_without_the_realm_nothing_can_be_told(keys, realm, elapsed):
    realm.answer = IdentityUnavailableError()
    for _ in range(50):
        with pytest.raises(IdentityUnavailableError):
            keys.key("k1")
    assert realm.asked == 1
    realm.rotate("k1")
    elapsed.seconds += 60
    assert keys.key("k1")


def test_with_a_set_the_realm_may_be_away_and_the_change_is_said_once_each_way(
    keys, realm, elapsed
):
    keys.key("k1")
    with capture_logs() as logs:
        realm.answer = IdentityUnavailableError()
        for _ in range(10):
            elapsed.seconds += 61
            assert keys.key("k9") is None
            assert keys.key("k1")
        realm.rotate("k1")
        elapsed.seconds += 61
        keys.key("k9")
        keys.key("k1")
    assert [(log["event"], log["log_level"]) for log in logs] == [
        ("identity.keys_away", "warning"),
        ("identity.keys_back", "info"),
    ]
    assert realm.asked == 12


def test_a_set_older_than_a_day_is_used_and_an_alert_says_so_once(keys, realm, elapsed):
    keys.key("k1")
    realm.answer = IdentityUnavailableError()
    with capture_logs() as logs:
        elapsed.seconds += 24 * 3600 + 1
        for _ in range(10):
            elapsed.seconds += 61
            assert keys.key("k1")
        assert keys.is_old
        realm.rotate("k1")
        elapsed.seconds += 61
        keys.key("k1")
        assert not keys.is_old
    alerts = [log for log in logs if log["event"] == "identity.keys_old"]
    assert [alert["log_level"] for alert in alerts] == ["error"]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"keys":{}}',
        b'{"keys":[]}',
        b'{"keys":[1,null,"x",[]]}',
        a_set(public_jwk("k1", use="enc")),
        a_set(*[public_jwk("k1")] * 65),
        KeySetUnusableError(),
    ],
    ids=range(9),
)
def test_an_answer_without_a_key_of_ours_leaves_the_set_as_it_was(keys, realm, elapsed, answer):
    keys.key("k1")
    realm.answer = answer
    elapsed.seconds += 61
    assert keys.key("k9") is None
    assert keys.key("k1")


# --- one fetch for many ---------------------------------------------------------------------------


class SlowRealm(Realm):
    def __init__(self, *names):
        super().__init__(*names)
        self.begun, self.may_end = threading.Event(), threading.Event()

    def __call__(self):
        self.begun.set()
        assert self.may_end.wait(20)
        return super().__call__()


def test_callers_at_once_wait_for_one_fetch():
    realm, found = SlowRealm("k1"), []
    keys = RealmKeys(realm)
    callers = [threading.Thread(target=lambda: found.append(keys.key("k1").kid)) for _ in range(20)]
    for caller in callers:
        caller.start()
    assert realm.begun.wait(20)
    realm.may_end.set()
    for caller in callers:
        caller.join(20)
    assert found == ["k1"] * 20
    assert realm.asked == 1


def test_nobody_waits_for_the_renewal_of_a_set_at_hand(elapsed):
    realm = SlowRealm("k1")
    realm.may_end.set()
    keys = RealmKeys(realm, monotonic=elapsed)
    keys.key("k1")
    realm.may_end.clear()
    elapsed.seconds += 700
    assert keys.key("k1")
    assert realm.asked == 1
    realm.may_end.set()


# --- which keys -----------------------------------------------------------------------------------


def test_where_a_realm_publishes_its_keys():
    url = key_set_url("https://idp.example.org/realms/parvis")
    assert url == "https://idp.example.org/realms/parvis/protocol/openid-connect/certs"


@pytest.mark.parametrize(
    "changes",
    [
        {"use": "enc"},
        {"use": LEFT_OUT},
        {"kty": "EC"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"alg": "RSA-OAEP"},
        {"alg": "RS512"},
        {"alg": "PS256"},
        {"alg": None},
        {"kid": LEFT_OUT},
        {"kid": 7},
        {"n": LEFT_OUT},
        {"n": "é"},
        {"n": "AAAA"},
        {"n": 7},
        {"e": "AQABAQABAQ"},
        {"e": "Ag"},
        {"e": ""},
    ],
    ids=repr,
)
def test_a_key_that_is_no_rsa_key_for_signatures_is_left_out(changes):
    found = read_keys(a_set(public_jwk("k2", **changes), public_jwk("k1")))
    assert list(found) == ["k1"]


def test_a_weak_key_is_left_out():
    numbers = private_key("weak", bits=1024).public_key().public_numbers()
    weak = public_jwk("k2", n=base64url(numbers.n.to_bytes(128)))
    assert list(read_keys(a_set(weak, public_jwk("k1")))) == ["k1"]


def test_what_a_key_brings_besides_its_numbers_is_not_read():
    private = {"d": "AAAA", "p": "AA", "x5c": ["AAAA"], "key_ops": ["sign"]}
    ((_, key),) = read_keys(a_set(public_jwk("k1", **private))).items()
    assert not key.is_private


def test_of_two_keys_of_one_name_the_first_counts():
    first, second = public_jwk("k1"), public_jwk("k2", kid="k1")
    found = read_keys(a_set(first, second))
    assert found["k1"].as_dict()["n"] == first["n"]
