from urllib.parse import urlsplit

import pytest

from orchestrator.broker.connection import Broker
from tests.contract.broker.bus import looking
from tests.fakes.tcp_proxy import TcpProxy


@pytest.fixture
def broker(broker_url):
    return Broker(broker_url)


@pytest.fixture
def bus(broker_url):
    """A look at the broker past everything of ours; our topology is there."""
    with looking(broker_url) as looked:
        yield looked


@pytest.fixture
def proxy(broker_url):
    made = TcpProxy(urlsplit(broker_url).port)
    yield made
    made.close()


@pytest.fixture
def proxied_url(broker_url, proxy):
    return broker_url.replace(f":{urlsplit(broker_url).port}/", f":{proxy.port}/")
