"""What the demonstration was asked to do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

DEFAULT_FOLDER: Final = Path(".parvis-demo")
KEYCLOAK_FOLDER: Final = Path(".parvis-demo-keycloak")
DOUBLE, KEYCLOAK = "double", "keycloak"
STAFF_ACCOUNT: Final = "admin.demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """``port`` is the hub's (None: a free one); ``is_once``: play the story and stop.

    With a real Keycloak, which is in memory, the folder begins anew each time: what the hub knew of
    the realm's accounts would be about nobody.
    """

    folder: Path = DEFAULT_FOLDER
    port: int | None = None
    is_once: bool = False
    is_json: bool = False
    is_fresh: bool = False
    is_real_keycloak: bool = False


class DemoRefusedError(Exception):
    """The demonstration cannot start; the French sentence says why and what to do."""
