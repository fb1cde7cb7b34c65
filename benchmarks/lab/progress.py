"""Where a measure stands: what it does, after how many seconds, and how many it still has."""

import json
import sys
import time
from collections.abc import Mapping
from typing import Any


class Progress:
    """Tells people on standard error; the clock runs from when it is made."""

    def __init__(self, *, minutes: float) -> None:
        self._begun = time.monotonic()
        self._budget = minutes * 60

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._begun

    @property
    def left(self) -> float:
        """Seconds of the budget that are left."""
        return self._budget - self.seconds

    def tell(self, what: str, figures: Mapping[str, Any] | None = None) -> None:
        """Say what is done now, or what it gave."""
        told = f" {json.dumps(figures, ensure_ascii=False)}" if figures else ""
        line = f"[{self.seconds:4.0f} s of {self._budget:.0f}] {what}{told}"
        print(line, file=sys.stderr, flush=True)

    def share(self, needed: float, *, least: float) -> float:
        """Return the share of some work that fits into the time left, ``least`` at least."""
        return max(least, min(1.0, self.left / needed))
