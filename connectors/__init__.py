"""Channel adapters: the kit and one module per system. This face is all that the rest of the house imports."""

from connectors.kit.connector import Connector
from connectors.kit.manifest import Manifest
from connectors.kit.operations import Operation
from connectors.kit.registry import Profile, catalogue, open_profile, operations
from connectors.kit.settings import Secret, Setting, seconds

__all__ = [
    "Connector",
    "Manifest",
    "Operation",
    "Profile",
    "Secret",
    "Setting",
    "catalogue",
    "open_profile",
    "operations",
    "seconds",
]
