"""The command line, in French: one noun, one verb; what goes wrong is a sentence and an exit code."""

from parvis.cli.main import main

__all__ = ["main"]
