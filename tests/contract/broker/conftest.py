from urllib.parse import urlsplit

import pytest

from orchestrator.broker.connection import Broker
from orchestrator.broker.topology import declare
from tests.contract.broker.bus import Bus
from tests.fakes.tcp_proxy import TcpProxy


@pytest.fixture
def broker(broker_url):
    return Broker(broker_url)


@pytest.fixture
def bus(broker_url):
    """A look at the broker past everything of ours; our topology is there."""
    link = Broker(broker_url).open("test")
    declare(link)
    looked = Bus(link)
    yield looked
    link.close()


@pytest.fixture
def proxy(broker_url):
    made = TcpProxy(urlsplit(broker_url).port)
    yield made
    made.close()


@pytest.fixture
def proxied_url(broker_url, proxy):
    return broker_url.replace(f":{urlsplit(broker_url).port}/", f":{proxy.port}/")
