"""RabbitMQ nodes of our own on loopback: for tests, measures and a try-out. Never the system's server.

Each node has its folder, its ports, its cookie and its own name server (epmd), all gone when it stops.
``python tools/rabbitmq.py FOLDER [--nodes 3]`` starts nodes and prints their address until interrupted.
Standard library only.
"""

import argparse
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROGRAMS = Path("/usr/lib/rabbitmq/bin")  # Debian's; the wrapper in /usr/sbin changes user
SERVER, CONTROL = "rabbitmq-server", "rabbitmqctl"
START_SECONDS, STOP_SECONDS = 60.0, 20.0
HANDSHAKE = b"AMQP\x00\x00\x09\x01"


def programs() -> Path | None:
    """Return the folder of RabbitMQ's programs, or None when this machine has none."""
    named = os.environ.get("PARVIS_TEST_RABBITMQ")
    folder = Path(named) if named else PROGRAMS
    return folder if (folder / SERVER).exists() and shutil.which("epmd") else None


class NameServer:
    """Erlang's epmd on a port of its own, for the nodes of one cluster."""

    def __init__(self) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            ["epmd", "-address", "127.0.0.1", "-port", str(self.port), "-relaxed_command_check"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


class RabbitNode:
    """One node; ``vhosts`` are there from its first start, with all rights for ``guest``."""

    def __init__(
        self,
        folder: Path,
        *,
        names: NameServer,
        cookie: str,
        name: str = "one",
        vhosts: Sequence[str] = (),
        peers: Sequence[str] = (),
        settings: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.name = f"{name}@localhost"
        self.port = free_port()
        self._distribution = free_port()
        self._names = names
        self._process: subprocess.Popen[bytes] | None = None
        self._write(cookie, vhosts, (*_peers(peers), *settings))

    @property
    def url(self) -> str:
        """The address of the default vhost."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    @property
    def pid(self) -> int:
        """The number of the running process."""
        if self._process is None:
            raise RuntimeError("The node does not run.")
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether its process is there; it may not speak yet."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, wait: float = START_SECONDS) -> None:
        """Start it and wait until it speaks AMQP (0: do not wait)."""
        with (self.folder / "console.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str((programs() or PROGRAMS) / SERVER)],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if wait:
            self.wait_until_it_answers(wait)

    def wait_until_it_answers(self, seconds: float = START_SECONDS) -> None:
        """Wait until it speaks AMQP."""
        end = time.monotonic() + seconds
        while not self.speaks():
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError("RabbitMQ ended at its start:\n" + self.last_words())
            if time.monotonic() > end:
                raise RuntimeError("RabbitMQ does not answer:\n" + self.last_words())
            time.sleep(0.1)

    def speaks(self) -> bool:
        """Tell whether it answers a handshake."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as probe:
                probe.sendall(HANDSHAKE)
                return bool(probe.recv(1))
        except OSError:
            return False

    def kill(self) -> None:
        """Kill -9: what a power cut leaves of it."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, and insist when it does not."""
        self._end(signal.SIGTERM)

    def control(self, *arguments: str) -> str:
        """Run rabbitmqctl; it takes a second or two."""
        ran = subprocess.run(
            [str((programs() or PROGRAMS) / CONTROL), "-q", *arguments],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return ran.stdout

    def last_words(self) -> str:
        """Return the end of what it printed."""
        path = self.folder / "console.log"
        return path.read_text(errors="replace")[-2000:] if path.exists() else ""

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for chosen, seconds in ((number, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
            try:
                os.killpg(process.pid, chosen)
                process.wait(seconds)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
            break

    def _write(self, cookie: str, vhosts: Sequence[str], settings: Sequence[str]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        secret = self.folder / ".erlang.cookie"
        secret.write_text(cookie)
        secret.chmod(0o400)
        (self.folder / "plugins").write_text("[].")
        (self.folder / "definitions.json").write_text(json.dumps(_definitions(vhosts)))
        lines = [
            f"listeners.tcp.local = 127.0.0.1:{self.port}",
            "loopback_users.guest = true",
            "vm_memory_high_watermark.absolute = 1GB",
            "disk_free_limit.absolute = 50MB",
            "log.file = false",
            "log.console = true",
            "log.console.level = warning",
            f"load_definitions = {self.folder / 'definitions.json'}",
        ]
        (self.folder / "rabbitmq.conf").write_text("\n".join((*lines, *settings)) + "\n")

    def _environment(self) -> dict[str, str]:
        folder = self.folder
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "RUNNING_UNDER_SYSTEMD": "true",  # no shell between us and the server
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "no-such-file"),
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._names.port),
            "ERL_CRASH_DUMP": "/dev/null",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false"
            ),
        }


class Cluster:
    """One node or several that know each other, in one folder."""

    def __init__(
        self,
        folder: Path,
        *,
        nodes: int = 1,
        vhosts: Sequence[str] = (),
        settings: Sequence[str] = (),
    ) -> None:
        cookie = secrets.token_hex(16).upper()
        self._names = NameServer()
        called = [f"n{number}" for number in range(1, nodes + 1)]
        self.nodes = [
            RabbitNode(
                folder / name,
                names=self._names,
                cookie=cookie,
                name=name,
                vhosts=vhosts if name == called[0] else (),
                peers=called if nodes > 1 else (),
                settings=settings,
            )
            for name in called
        ]

    @property
    def url(self) -> str:
        """The addresses of all nodes, as PARVIS_BROKER_URL wants them."""
        return ";".join(node.url for node in self.nodes)

    def start(self) -> None:
        """Start all nodes, at once after the first."""
        self.nodes[0].start()
        for node in self.nodes[1:]:
            node.start(wait=0)
        for node in self.nodes[1:]:
            node.wait_until_it_answers()

    def stop(self) -> None:
        """Kill all nodes: nobody needs their data any more."""
        for node in self.nodes:
            node.kill()
        self._names.stop()


def free_port() -> int:
    """Return a port nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _peers(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    nodes = [
        f"cluster_formation.classic_config.nodes.{number} = {name}@localhost"
        for number, name in enumerate(names, start=1)
    ]
    return ["cluster_formation.peer_discovery_backend = classic_config", *nodes]


def _definitions(vhosts: Sequence[str]) -> dict[str, Any]:
    names = ["/", *vhosts]
    rights = {"user": "guest", "configure": ".*", "write": ".*", "read": ".*"}
    return {
        "users": [{"name": "guest", "password": "guest", "tags": "administrator"}],
        "vhosts": [{"name": name} for name in names],
        "permissions": [{**rights, "vhost": name} for name in names],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run nodes until interrupted."""
    parser = argparse.ArgumentParser(description=re.split(r"\n\n", __doc__ or "")[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--nodes", type=int, choices=(1, 3), default=1)
    chosen = parser.parse_args(arguments)
    if programs() is None:
        print("RabbitMQ est absent : apt-get install rabbitmq-server", file=sys.stderr)
        return 1
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="parvis-rabbitmq-"))
    cluster = Cluster(folder.resolve(), nodes=chosen.nodes)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        cluster.start()
        print(f"PARVIS_BROKER_URL={cluster.url}", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        cluster.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
