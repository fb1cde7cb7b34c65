"""Doubles of the city's systems and of the partners that send events, built from their documents.

They import nothing of the hub: a mock built from our own schemas would repeat our own misreading.
Each answers on a loopback port, refuses what the real system refuses, and carries the same fault switch.
"""

from mock_partners.desk import App
from mock_partners.program import build
from mock_partners.server import MockServer

__all__ = ["App", "MockServer", "build"]
