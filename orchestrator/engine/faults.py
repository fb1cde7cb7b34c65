"""Named points between "did it" and "recorded it", where tests kill a process."""

from collections.abc import Callable

FaultPoint = Callable[[str], None]


def no_faults(_name: str) -> None:
    """Do nothing: what every process but a crash test's runs with."""
