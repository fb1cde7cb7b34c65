"""The journeys themselves, one file each, readable by a librarian."""
