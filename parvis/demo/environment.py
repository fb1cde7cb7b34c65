"""What the hub's processes are told: a file of the folder, read at each of their starts.

Nothing of the surroundings leaks in: a ``PARVIS_`` name set for another hub means nothing here,
the tests' own excepted.
"""

import os
from collections.abc import Mapping
from typing import Final

from parvis.demo.folder import HOST, DemoFolder, write_private

OURS: Final = "PARVIS_"
TESTS: Final = "PARVIS_TEST_"


def write_environment(
    folder: DemoFolder, *, database_url: str, port: int, identity_url: str
) -> None:
    """Write the settings all processes share, as ``NAME=value`` lines."""
    values = {
        "PARVIS_MODE": "demo",
        "PARVIS_DATABASE_URL": database_url,
        "PARVIS_MASTER_KEY_FILE": str(folder.master_key),
        "PARVIS_SECRET_KEY_FILE": str(folder.secret_key),
        "PARVIS_PUBLIC_URL": f"http://{HOST}:{port}",
        "PARVIS_IDP_URL": identity_url,
        "PARVIS_BIND": f"{HOST}:{port}",
        "PARVIS_WEB_PROCESSES": "1",
        "PARVIS_LOG_FORMAT": "json",
        "PARVIS_DATA_DIR": str(folder.path),
    }
    write_private(folder.environment, "".join(f"{k}={v}\n" for k, v in values.items()))


def environment_of(folder: DemoFolder, more: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of one process, as the file says now."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(OURS) or name.startswith(TESTS)
    }
    is_there = folder.environment.exists()  # the doubles start before it is written
    lines = folder.environment.read_text(encoding="utf-8").splitlines() if is_there else []
    told = dict(line.split("=", 1) for line in lines if "=" in line)
    return {**kept, "PARVIS_DATA_DIR": str(folder.path), **told, **more}
