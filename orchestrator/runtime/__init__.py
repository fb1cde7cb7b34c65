"""The long-lived loops and the gateway round every connector call."""
