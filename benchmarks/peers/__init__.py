"""Engines people would pick instead, each in an environment of its own, on the same journey."""
