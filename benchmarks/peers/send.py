"""Sends events into one Python peer, in that peer's own environment: ``send PEER COUNT``."""

import importlib
import os
import sys
from uuid import uuid4

from benchmarks.floor_work import EVENT


def main(peer: str, count: int) -> None:
    """Send so many events; with none, only lay out what the peer needs."""
    app = importlib.import_module(f"benchmarks.peers.{peer}_app")
    if count:
        app.send([{"id": str(uuid4()), **EVENT} for _ in range(count)])
    elif hasattr(app, "prepare"):
        app.prepare()
    sys.stdout.flush()
    os._exit(0)  # some peers leave threads behind


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
