"""Greenlets that stop at named places until the schedule lets them go on: interleavings by choice.

The process is not patched and psycopg waits in C, so between two places a greenlet runs alone, and
the same choices give the same course.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import gevent
from gevent.event import AsyncResult


class KilledError(gevent.GreenletExit):
    """The process this greenlet belongs to was killed; no handler of errors may swallow it."""


@dataclass(eq=False)
class Parked:
    """A greenlet that stopped somewhere and waits to be told how to go on."""

    place: str
    owner: object
    about: object
    told: AsyncResult = field(default_factory=AsyncResult)


class Stage:
    """Where the greenlets of all processes stand."""

    def __init__(self, settle: Callable[[], None]) -> None:
        """``settle`` runs everything that can run now."""
        self.parked: list[Parked] = []
        self._settle = settle

    def arrive(self, place: str, owner: object, about: object = None) -> object:
        """Stop here; returns what the schedule says when it lets this greenlet go on."""
        here = Parked(place=place, owner=owner, about=about)
        self.parked.append(here)
        try:
            return here.told.get()
        finally:
            if here in self.parked:
                self.parked.remove(here)

    def let_go(self, chosen: list[Parked], told: object = None) -> None:
        """Let greenlets go on together, until each has stopped again or ended."""
        for one in chosen:
            self.parked.remove(one)
            one.told.set(told)
        self._settle()
