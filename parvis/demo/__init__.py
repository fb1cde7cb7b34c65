"""The demo city: its configuration, its supervisor and the story it plays."""
