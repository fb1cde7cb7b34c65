"""Mocks as programs: one alone, or a whole city in one process.

The first line on standard output is JSON and is written when every port listens; the program then serves
until SIGTERM or SIGINT.
"""

import argparse
import json
import re
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

from mock_partners.desk import App
from mock_partners.server import MockServer

__all__ = ["build", "run", "run_city"]

KIND = re.compile(r"[a-z][a-z0-9_]{1,39}")


def build(kind: str, settings: Mapping[str, object]) -> App:
    """The mock of this kind (a module of this package that has a `build`).

    Raises:
        ValueError: there is no such mock, or its settings are wrong.
    """
    if KIND.fullmatch(kind) is None:
        msg = f"a kind of mock is a module name, not {kind!r}"
        raise ValueError(msg)
    try:
        module = import_module(f"mock_partners.{kind}")
    except ModuleNotFoundError as error:
        msg = f"no mock of kind {kind!r}"
        raise ValueError(msg) from error
    if not hasattr(module, "build"):
        msg = f"mock_partners.{kind} is no mock"
        raise ValueError(msg)
    app: App = module.build(settings)
    return app


def run(kind: str, arguments: Sequence[str] | None = None) -> int:
    """Serve one mock until told to stop."""
    parser = argparse.ArgumentParser(prog=f"mock_partners.{kind}")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--control-port", type=int, help="a port of its own for /_mock/ (0: any)")
    parser.add_argument("--settings", type=Path, required=True, help="a JSON file")
    options = parser.parse_args(arguments)
    try:
        app = build(kind, _read(options.settings))
    except ValueError as error:
        parser.error(str(error))
    with MockServer(app, port=options.port, control_port=options.control_port) as server:
        ready = {"url": server.url}
        if options.control_port is not None:
            ready["control_url"] = server.control_url
        _serve(ready)
    return 0


def run_city(arguments: Sequence[str] | None = None) -> int:
    """Serve every mock of a settings file in one process."""
    parser = argparse.ArgumentParser(prog="mock_partners")
    parser.add_argument("--settings", type=Path, required=True, help="a JSON file")
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        try:
            servers = _city(_read(options.settings))
        except ValueError as error:
            parser.error(str(error))
        ready: dict[str, str] = {}
        for name, server in servers.items():
            ready[name] = stack.enter_context(server).url
            if server.control_url != server.url:
                ready[f"{name}.control"] = server.control_url
        _serve(ready)
    return 0


def _city(document: Mapping[str, object]) -> dict[str, MockServer]:
    mocks = document.get("mocks")
    if not isinstance(mocks, dict) or set(document) != {"mocks"}:
        msg = 'the settings are {"mocks": {name: {"kind", "port", "control_port", "settings"}}}'
        raise ValueError(msg)
    return {str(name): _server(str(name), each) for name, each in mocks.items()}


def _server(name: str, document: object) -> MockServer:
    known = {"kind", "port", "control_port", "settings"}
    if not isinstance(document, dict) or set(document) - known or "kind" not in document:
        msg = f"{name}: an object with {sorted(known)} is wanted, kind at least"
        raise ValueError(msg)
    app = build(str(document["kind"]), document.get("settings", {}))
    control = document.get("control_port")
    return MockServer(app, port=int(document.get("port", 0)), control_port=control)


def _read(path: Path) -> Mapping[str, object]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        msg = f"settings: {error}"
        raise ValueError(msg) from error
    if not isinstance(document, dict):
        msg = "settings: a JSON object is wanted"
        raise ValueError(msg)  # noqa: TRY004  one error kind for a settings file
    return document


def _serve(ready: Mapping[str, str]) -> None:
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    stopped.wait()
