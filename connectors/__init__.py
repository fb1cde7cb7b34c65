"""Channel adapters: the kit and one module per system. This face is all that the rest of the house imports."""

from connectors.kit.registry import Profile, catalogue, open_profile, operations

__all__ = ["Profile", "catalogue", "open_profile", "operations"]
