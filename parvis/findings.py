"""What the doctor finds: one line for each thing looked at, with what to do when it is not well."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How a check went."""

    WELL = "bon"
    REMARK = "remarque"
    FAULT = "faute"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found; ``remedy`` says what to do."""

    level: Level
    subject: str
    detail: str
    remedy: str = ""

    @property
    def is_fault(self) -> bool:
        """Whether the hub cannot work well like this."""
        return self.level is Level.FAULT

    def sentence(self) -> str:
        """Return the line people read."""
        remedy = f" → {self.remedy}" if self.remedy else ""
        return f"[{self.level:8}] {self.subject} : {self.detail.rstrip('.')}{remedy}"

    def as_json(self) -> dict[str, Any]:
        """Return the finding for a program."""
        return {**asdict(self), "level": str(self.level)}


def well(subject: str, detail: str) -> Finding:
    """Return that something is well."""
    return Finding(level=Level.WELL, subject=subject, detail=detail)


def remark(subject: str, detail: str, remedy: str = "") -> Finding:
    """Return something to know."""
    return Finding(level=Level.REMARK, subject=subject, detail=detail, remedy=remedy)


def fault(subject: str, detail: str, remedy: str) -> Finding:
    """Return something that must be mended."""
    return Finding(level=Level.FAULT, subject=subject, detail=detail, remedy=remedy)
