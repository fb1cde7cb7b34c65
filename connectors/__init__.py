"""Channel adapters: the kit and one module per system."""
