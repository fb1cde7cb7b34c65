"""What an import changed, refused or noticed: nothing is repaired in silence."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from orchestrator.services.open_data.sources import Source


class Action(StrEnum):
    """What was done with a value."""

    CORRECTED = "corrected"
    REFUSED = "refused"
    NOTED = "noted"


ACTION_LABELS: Mapping[Action, str] = {
    Action.CORRECTED: "corrigé",
    Action.REFUSED: "refusé",
    Action.NOTED: "signalé",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of the importers; ``label`` is the French words the report prints."""

    slug: str
    action: Action
    label: str


def shown(text: str, longest: int = 60) -> str:
    """Return foreign text fit to be printed: one line, no control character, shortened."""
    plain = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule applied to one cell (or to a whole row when ``column`` is empty)."""

    line: int
    rule: Rule
    column: str = ""
    before: str = ""
    after: str = ""

    def sentence(self) -> str:
        """Return the French line of the report."""
        where = f"ligne {self.line}" + (f", {self.column}" if self.column else "")
        values = f" : « {shown(self.before)} »" if self.before else ""
        values += f" → « {shown(self.after)} »" if self.after else ""
        return f"{where} : {ACTION_LABELS[self.rule.action]}, {self.rule.label}{values}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """Everything one import has to say; ``sha256`` tells which bytes were read."""

    file: str
    source: Source
    source_date: date | None
    sha256: str
    rows_read: int
    rows_kept: int
    findings: tuple[Finding, ...]

    def counts(self) -> Counter[str]:
        """Return how many times each rule (by slug) was applied."""
        return Counter(finding.rule.slug for finding in self.findings)

    def of(self, rule: Rule) -> tuple[Finding, ...]:
        """Return what one rule found, in the order of the file."""
        return tuple(finding for finding in self.findings if finding.rule == rule)

    def summary(self) -> tuple[str, ...]:
        """Return the French lines that ``parvis data import`` prints first."""
        totals = Counter(finding.rule for finding in self.findings)
        lines = [f"{self.file} : {self.rows_kept} lignes retenues sur {self.rows_read}"]
        for rule, count in sorted(totals.items(), key=lambda item: (item[0].action, item[0].slug)):
            lines.append(
                f"  {ACTION_LABELS[rule.action]} {count} fois : {rule.label} [{rule.slug}]"
            )
        return tuple(lines)


class Ledger:
    """Collects the findings of one import."""

    def __init__(self, body: bytes, source: Source, source_date: date | None) -> None:
        self._sha256 = hashlib.sha256(body).hexdigest()
        self._source = source
        self._source_date = source_date
        self._findings: dict[Finding, None] = {}  # a cell may be read twice, it is told once

    def add(self, finding: Finding) -> None:
        """Write one finding down."""
        self._findings[finding] = None

    def closed(self, *, rows_read: int, rows_kept: int) -> ImportReport:
        """Return the report of what was collected."""
        return ImportReport(
            file=self._source.file,
            source=self._source,
            source_date=self._source_date,
            sha256=self._sha256,
            rows_read=rows_read,
            rows_kept=rows_kept,
            findings=tuple(self._findings),
        )
