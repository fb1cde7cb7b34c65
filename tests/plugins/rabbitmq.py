"""A RabbitMQ of this test session's own; each test has a vhost to itself, wiped afterwards."""

import datetime as dt
import ipaddress
import tempfile
from collections import deque
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from orchestrator.broker.connection import Broker
from orchestrator.broker.topology import EXCHANGES, QUEUES
from tests.plugins.requirements import require
from tools.rabbitmq import Cluster, free_port, programs

VHOSTS = 12
OTHERS_QUEUE = "city.system"  # what tests bind as another system of the city would


class Bus(Cluster):
    """One node with vhosts to lend."""

    def __init__(self, folder):
        vhosts = [f"v{number}" for number in range(VHOSTS)]
        self.tls_port, self.certificate = free_port(), make_certificate(folder, "127.0.0.1")
        settings = [
            f"listeners.ssl.local = 127.0.0.1:{self.tls_port}",
            "ssl_options.verify = verify_none",
            f"ssl_options.cacertfile = {self.certificate}",
            f"ssl_options.certfile = {self.certificate}",
            f"ssl_options.keyfile = {self.certificate}",
        ]
        super().__init__(folder, vhosts=vhosts, settings=settings)
        self.free = deque(vhosts)
        self.spent = set()


def pytest_collection_modifyitems(items):
    """The first test that asks waits for the node's start, which a busy machine draws out."""
    for item in items:
        asks = "rabbitmq" in getattr(item, "fixturenames", ())
        if asks and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(90))


@pytest.fixture(scope="session")
def rabbitmq():
    """The session's node."""
    if programs() is None:
        require("RabbitMQ", "les essais du bus", "apt-get install rabbitmq-server")
    with tempfile.TemporaryDirectory(prefix="parvis-bus-", ignore_cleanup_errors=True) as folder:
        bus = Bus(Path(folder))
        try:
            bus.start()
            yield bus
        finally:
            bus.stop()


@pytest.fixture
def broker_url(rabbitmq):
    """The address of an empty vhost."""
    vhost = rabbitmq.free.popleft()
    url = rabbitmq.url + vhost
    yield url
    if url not in rabbitmq.spent:
        _wipe(url)
        rabbitmq.free.append(vhost)


def make_certificate(folder, address):
    """A certificate for one address, signed by itself, with its key; its path."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bus.example.org")])
    now = dt.datetime.now(dt.UTC)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / f"{address}.pem"
    path.write_bytes(signed.public_bytes(pem) + private)
    return path


def _wipe(url):
    link = Broker(url).open("wipe")
    channel = link.channel()
    for name in (*(queue.name for queue in QUEUES), OTHERS_QUEUE):
        channel.queue_delete(name)
    for exchange in EXCHANGES:
        channel.exchange_delete(exchange.name)
    link.close()
