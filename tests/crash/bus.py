"""A RabbitMQ of the campaigns' own, whose nodes may be killed and whose queues may be wiped."""

from pathlib import Path
from urllib.parse import quote

from kombu import Connection

from tools.rabbitmq import Cluster

VHOSTS = [f"campaign{number}" for number in range(4)]
QUEUE = "parvis.journey.v1"
PATIENCE = {"read_timeout": 20, "write_timeout": 20}


class Bus:
    """One node or several; each campaign has a vhost to itself."""

    def __init__(self, folder: Path, *, nodes: int) -> None:
        self.cluster = Cluster(folder, nodes=nodes, vhosts=VHOSTS)
        self.cluster.start()
        self._unused = iter(VHOSTS)
        self._turn = 0
        self.vhost = ""

    def url(self) -> str:
        self.vhost = next(self._unused)
        return ";".join(node.url + quote(self.vhost) for node in self.cluster.nodes)

    def kill_node(self) -> str | None:
        """Kill -9 one node, each in its turn, and start it again; one at a time is away."""
        self.mend()
        if not all(node.speaks() for node in self.cluster.nodes):
            return None
        node = self.cluster.nodes[self._turn % len(self.cluster.nodes)]
        self._turn += 1
        node.kill()
        node.start(wait=0)
        return node.name

    def mend(self) -> None:
        """Start again a node that gave up while the others were away."""
        for node in self.cluster.nodes:
            if not node.runs:
                node.start(wait=0)

    def wipe(self) -> str | None:
        """Delete the queue of wakes as a foreign program may; None while it is not there."""
        address = self.cluster.nodes[0].url + quote(self.vhost)
        with Connection(address, connect_timeout=10, transport_options=PATIENCE) as connection:
            try:
                channel = connection.channel()
                channel.queue_declare(QUEUE, passive=True)
                channel.queue_delete(QUEUE)
            except (*connection.connection_errors, *connection.channel_errors):
                return None
        return QUEUE
