"""The policies of the deployment example, on a broker that has our queues."""

import json
from urllib.parse import urlsplit

import pytest

from orchestrator.broker.topology import QUEUES, declare
from tests.architecture.tree import ROOT

pytestmark = pytest.mark.rabbitmq
POLICIES = ROOT / "deploy/rabbitmq/policies.json"


def test_the_broker_takes_the_policies_and_applies_them_to_our_queues(
    rabbitmq, broker, broker_url, tmp_path
):
    link, vhost = broker.open("test"), urlsplit(broker_url).path.lstrip("/")
    declare(link, on_lost=list)
    link.close()
    document = json.loads(POLICIES.read_text())
    for policy in document["policies"]:
        policy["vhost"] = vhost
    here = tmp_path / "policies.json"
    here.write_text(json.dumps(document))
    node = rabbitmq.nodes[0]
    try:
        node.control("import_definitions", str(here))
        told = node.control("-q", "list_queues", "-p", vhost, "name", "policy")
    finally:
        node.control("clear_policy", "-p", vhost, document["policies"][0]["name"])

    held = dict(line.split("\t") for line in told.splitlines() if line.startswith("parvis."))
    assert held == {queue.name: document["policies"][0]["name"] for queue in QUEUES}
