"""What a campaign says at its end, in the words people use for such runs, with its seed."""

import json
import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(kw_only=True)
class Report:
    """Counted by whoever drives and by the doubles, never by the system under test.

    ``attempt`` sent, ``acknowledged`` answered 202, ``ok`` acknowledged and come to a good end,
    ``lost`` acknowledged and gone, ``duplicated`` effects beyond the first, ``recovered`` runs that
    a kill had cut and that ended well, ``unexpected`` everything nobody can explain. What an engine
    that is not ours lost or doubled is a figure, and no fault of the campaign.
    """

    name: str
    seed: int | str
    attempt: int = 0
    acknowledged: int = 0
    ok: int = 0
    lost: int = 0
    duplicated: int = 0
    recovered: int = 0
    unexpected: int = 0
    is_ours: bool = True
    more: Counter = field(default_factory=Counter)

    @property
    def is_clean(self) -> bool:
        return (self.lost, self.duplicated, self.unexpected) == (0, 0, 0)

    def say(self) -> None:
        """Print one line; keep it in the folder of ``PARVIS_TEST_REPORTS``, if there is one."""
        line = json.dumps(vars(self), ensure_ascii=False, default=str)
        sys.stdout.write(line + "\n")
        folder = os.environ.get("PARVIS_TEST_REPORTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            with (Path(folder) / f"{self.name}.jsonl").open("a", encoding="utf-8") as kept:
                kept.write(line + "\n")
