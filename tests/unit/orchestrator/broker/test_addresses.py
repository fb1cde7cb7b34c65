"""Addresses of RabbitMQ: read strictly, never shown."""

import socket

import pytest

from orchestrator.broker.connection import Broker
from schemas.errors import ConfigurationError
from tests.plugins.rabbitmq import make_certificate

GOOD = "amqp://parvis:s%40cret@bus.example.org:5673/city%2Fone"


def nodes(url):
    return Broker(url)._nodes


def test_an_address_is_read_with_its_escapes():
    (node,) = nodes(GOOD)

    assert (node.host, node.port, node.vhost) == ("bus.example.org", 5673, "city/one")
    assert (node.user, node.password, node.tls) == ("parvis", "s@cret", None)


def test_a_cluster_is_several_addresses():
    assert [node.port for node in nodes(f"{GOOD}; amqp://bus2.example.org")] == [5673, 5672]


def test_tls_checks_the_servers_name_and_certificate(tmp_path):
    authority = make_certificate(tmp_path, "127.0.0.1")
    (node,) = nodes(f"amqps://bus.example.org/?cacertfile={authority}")

    assert node.port == 5671
    assert node.tls["server_hostname"] == "bus.example.org"
    assert node.tls["ca_certs"] == str(authority)
    assert node.tls["cert_reqs"].name == "CERT_REQUIRED"


@pytest.mark.parametrize("option", ["cacertfile", "certfile"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_that_holds_no_certificate_is_told_before_anything_is_opened(
    tmp_path, option, content
):
    file = tmp_path / "a.pem"
    if content is not None:
        file.write_text(content)

    with pytest.raises(ConfigurationError, match="cacertfile, certfile ou keyfile"):
        Broker(f"amqps://bus.example.org/?{option}={file}")


@pytest.mark.parametrize(
    "url", ["", ";", "http://bus", "amqp://", "amqp://h:x/", "amqp://h:99999/"]
)
def test_anything_else_is_refused_without_being_repeated(url):
    with pytest.raises(ConfigurationError) as refused:
        Broker(url)
    assert "PARVIS_BROKER_URL" in refused.value.faults[0]


def test_no_representation_shows_the_secret():
    (node,) = nodes(GOOD)

    assert "cret" not in repr(node)
    assert "cret" not in repr(Broker(GOOD))


def test_every_write_and_the_silence_of_the_broker_are_bounded():
    described = nodes(GOOD)[0].connection("test")

    assert described.transport_options["socket_settings"] == {socket.TCP_USER_TIMEOUT: 10_000}
    assert 0 < described.heartbeat <= 30
    assert described.connect_timeout == 5
