"""Logs of a test's own: what it sets up for the process is gone after it."""

import logging

import pytest
import structlog


@pytest.fixture
def own_logging():
    """The test may configure the process's logs; everything is as before after it."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
