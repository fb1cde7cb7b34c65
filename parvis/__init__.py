"""The front door: settings, composition root, command line, demo city. Knows everybody; nobody imports it."""
