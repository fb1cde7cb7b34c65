"""The bus over TLS: the same promises, a proven name, and no handshake without a deadline."""

import time

import pytest

from orchestrator.broker import connection
from orchestrator.broker.connection import Broker
from schemas import ids
from schemas.errors import BrokerRefusedError, BrokerUnavailableError
from tests.contract.wakers.rigs import BrokerRig, nothing_comes, take
from tests.fakes.tcp_proxy import TcpProxy
from tests.plugins.rabbitmq import make_certificate

pytestmark = pytest.mark.rabbitmq


@pytest.fixture
def address(rabbitmq, broker_url):
    """What an address is made of: by default the right port and the right authority."""
    vhost = broker_url.rpartition("/")[2]

    def build(port=rabbitmq.tls_port, authority=rabbitmq.certificate, host="127.0.0.1"):
        return f"amqps://guest:guest@{host}:{port}/{vhost}?cacertfile={authority}"

    return build


def test_wakes_travel_sealed_and_are_settled(address):
    rig = BrokerRig(address())
    waker = rig.active(prefetch=200)
    runs = [ids.uuid7() for _ in range(400)]
    rig.send(*runs)

    first = take(waker, 200)
    waker.settle([wake.id for wake in first])
    second = take(waker, 200)
    waker.settle([wake.id for wake in second])

    assert {wake.run_id for wake in [*first, *second]} == set(runs)
    assert nothing_comes(waker)
    rig.close()


def test_a_certificate_of_another_authority_is_refused(address, tmp_path):
    with pytest.raises(BrokerRefusedError, match="certificat"):
        Broker(address(authority=make_certificate(tmp_path, "127.0.0.1"))).open("test")


def test_a_certificate_of_another_name_is_refused(address):
    with pytest.raises(BrokerRefusedError, match="certificat"):
        Broker(address(host="localhost")).open("test")


def test_a_handshake_that_never_ends_is_given_up(address, rabbitmq, monkeypatch):
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 1.0)
    proxy = TcpProxy(rabbitmq.tls_port)
    proxy.mute()
    started = time.monotonic()

    with pytest.raises(BrokerUnavailableError):
        Broker(address(port=proxy.port)).open("test", deadline=1.0)

    assert time.monotonic() - started < 4
    proxy.close()
