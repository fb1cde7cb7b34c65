"""Use cases that are not journeys, and the ports they need."""
