from datetime import timedelta

import gevent
import pytest

from orchestrator.runtime.gateway import Gateway
from orchestrator.services.ports.running import ServiceRef
from schemas import clock
from schemas.commands import Command
from schemas.errors import (
    ConfigurationError,
    PartnerMisconfiguredError,
    PartnerThrottledError,
    PartnerUnavailableError,
)
from schemas.receipts import Receipt


class Breakers:
    def __init__(self):
        self.until = {}

    def open_until(self, profile):
        return self.until.get(profile)

    def open(self, profile, *, reason, until):
        self.until[profile] = until

    def close(self, profile):
        self.until.pop(profile, None)


class Secrets:
    def values(self, names):
        return {name: f"value of {name}" for name in names}


class System:
    """What the kit would open: its behaviour is given by the test."""

    def __init__(self, behave):
        self.behave, self.calls, self.is_closed = behave, 0, False

    def call(self, operation, command, log):
        self.calls += 1
        return self.behave()

    def close(self):
        self.is_closed = True


class Opener:
    """Opens systems and remembers them; ``behave`` decides what their calls do."""

    def __init__(self):
        self.made, self.behave = [], lambda: Receipt(external_ref="1")

    def __call__(self, connector, profile, settings, secrets):
        self.made.append((System(self.behave), secrets))
        return self.made[-1][0]


def service(version="1"):
    return ServiceRef(
        id="lib",
        kind="library",
        name="L",
        profile="koha",
        connector="koha",
        settings={},
        secrets={"client_secret": "koha_secret"},
        version=version,
    )


def command():
    return Command(key="r:s", operation="preregister", data={}, pseudonym="p", purpose="x")


def build(share=4, opening=None):
    breakers, opening = Breakers(), opening or Opener()
    door = Gateway(secrets=Secrets(), breakers=breakers, share=share, opening=opening)
    return door, breakers, opening


def test_a_profile_is_opened_once_and_again_when_its_version_moves():
    door, _, opening = build()
    for version in ("1", "1", "2"):
        door.call(service(version), command(), [])
    assert [system.calls for system, _ in opening.made] == [2, 1]
    assert opening.made[0][0].is_closed
    assert opening.made[0][1] == {"client_secret": "value of koha_secret"}


def test_refused_credentials_pause_the_system_and_nothing_more_is_tried():
    door, breakers, opening = build()
    opening.behave = raising(PartnerMisconfiguredError("koha", "preregister"))
    for _ in range(3):
        with pytest.raises(PartnerMisconfiguredError):
            door.call(service(), command(), [])
    assert opening.made[0][0].calls == 1
    assert breakers.until["koha"] > clock.utcnow() + timedelta(minutes=14)


def test_a_paused_system_is_tried_again_when_its_time_has_come_and_closes():
    door, breakers, _ = build()
    breakers.until["koha"] = clock.utcnow() - timedelta(seconds=1)
    assert door.call(service(), command(), []).external_ref == "1"
    assert breakers.until == {}


def test_an_outage_does_not_pause_the_system():
    door, breakers, opening = build()
    opening.behave = raising(PartnerUnavailableError("koha", "preregister"))
    with pytest.raises(PartnerUnavailableError):
        door.call(service(), command(), [])
    assert breakers.until == {}


def test_a_slow_system_never_holds_more_than_its_share():
    door, _, opening = build(share=2)
    opening.behave = lambda: gevent.sleep(0.6) or Receipt()
    busy = [gevent.spawn(door.call, service(), command(), []) for _ in range(2)]
    gevent.sleep(0.05)
    with pytest.raises(PartnerThrottledError) as refused:
        door.call(service(), command(), [])
    assert refused.value.retry_after == 1.0
    gevent.joinall(busy, raise_error=True)
    assert door.call(service(), command(), []) is not None


def test_settings_that_no_longer_open_pause_instead_of_crashing():
    door, breakers, _ = build(opening=raising(ConfigurationError("base_url manque")))
    with pytest.raises(PartnerMisconfiguredError):
        door.call(service(), command(), [])
    assert "koha" in breakers.until


def raising(error):
    def behave(*_arguments):
        raise error

    return behave
