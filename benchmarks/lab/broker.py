"""A RabbitMQ node of our own on loopback: its folder, its ports, its name service, no plugins."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

PROGRAM: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_SLOWEST_START: Final = 60.0
_HELLO: Final = b"AMQP\x00\x00\x09\x01"


class BrokerNode:
    """One node with its data in ``folder``; ``url`` works once ``start`` has returned."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._port, self._names_port = free_port(), free_port()
        self._names: subprocess.Popen[bytes] | None = None
        self._node: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address of the node, with the user that every new node has."""
        return f"amqp://guest:guest@127.0.0.1:{self._port}/%2F"

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    @property
    def pid(self) -> int:
        """The first process of the node's tree."""
        assert self._node  # noqa: S101 - asked for while it runs
        return self._node.pid

    def start(self) -> None:
        """Start the name service and the node; wait until it speaks AMQP."""
        if not PROGRAM.exists():
            raise SystemExit("RabbitMQ absent : apt-get install rabbitmq-server")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._configure()
        environment = self._environment()
        epmd = shutil.which("epmd") or "/usr/bin/epmd"
        self._names = subprocess.Popen(
            [epmd, "-port", str(self._names_port), "-address", "127.0.0.1"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt of the keyboard must not end it before the node
        )
        with (self._folder / "output.log").open("ab") as log:
            self._node = subprocess.Popen(
                [str(PROGRAM)], env=environment, stdout=log, stderr=log, start_new_session=True
            )
        self._wait()

    def stop(self) -> None:
        """Stop the node's whole group, then its name service."""
        if self._node is not None:
            _end_group(self._node)
            self._node = None
        if self._names is not None:
            self._names.terminate()
            self._names.wait(10)
            self._names = None

    def _configure(self) -> None:
        lines = (
            f"listeners.tcp.local = 127.0.0.1:{self._port}",
            "vm_memory_high_watermark.absolute = 2GB",
            "disk_free_limit.absolute = 100MB",
            "log.file.level = warning",
        )
        (self._folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if "RABBIT" not in name}
        interface = "-kernel inet_dist_use_interface {127,0,0,1}"
        return kept | {
            "HOME": str(self._folder),
            "RABBITMQ_NODENAME": f"bench{self._port}@localhost",
            "RABBITMQ_MNESIA_BASE": str(self._folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(self._folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(self._folder / "pid"),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": interface,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._names_port),
        }

    def _wait(self) -> None:
        end = time.monotonic() + _SLOWEST_START
        while time.monotonic() < end:
            if self._node is None or self._node.poll() is not None:
                break
            if _speaks(self._port):
                return
            time.sleep(0.2)
        self.stop()
        raise SystemExit(f"RabbitMQ did not start: see {self._folder / 'output.log'}")


def free_port() -> int:
    """Return a port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _speaks(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as probe:
            probe.sendall(_HELLO)
            return probe.recv(1) == b"\x01"
    except OSError:
        return False


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    for number, patience in ((signal.SIGTERM, 20), (signal.SIGKILL, 10)):
        try:
            os.killpg(process.pid, number)
            process.wait(patience)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
        return
