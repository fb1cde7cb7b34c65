"""One row of a file on its way in: cells by column, its line, and the ledger it reports to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestrator.services.open_data import rules
from orchestrator.services.open_data.report import Finding, Ledger, Rule
from orchestrator.services.open_data.text import (
    FORMULA_STARTS,
    READABLE,
    TIDY,
    Step,
    changes,
)


@dataclass(frozen=True, slots=True)
class Record:
    """A row as text; an absent cell reads as the empty text."""

    line: int
    cells: Mapping[str, str]
    ledger: Ledger

    def note(self, rule: Rule, column: str = "", before: str = "", after: str = "") -> None:
        """Report that a rule was applied to a cell of this row."""
        finding = Finding(line=self.line, rule=rule, column=column, before=before, after=after)
        self.ledger.add(finding)

    def raw(self, column: str) -> str:
        """Return the cell as it came."""
        return self.cells.get(column, "")

    def cell(self, column: str) -> str:
        """Return a code or a number: tidied, every change reported."""
        raw = self.raw(column)
        if raw.isascii() and raw.isprintable() and " " not in raw:
            return raw  # most cells: nothing to tidy
        return self._after(column, TIDY)

    def text(self, column: str) -> str | None:
        """Return text for people by the text rules, every change reported; None when empty."""
        raw = self.raw(column)
        tidied = self._after(column, READABLE)
        if not any(letter.isalnum() for letter in tidied):
            if raw.strip():
                self.note(rules.EMPTY_TEXT, column, raw)
            return None
        if tidied.startswith(FORMULA_STARTS):
            self.note(rules.FORMULA_LIKE, column, tidied)
        return tidied

    def _after(self, column: str, steps: Iterable[Step]) -> str:
        current = self.raw(column)
        for rule, before, after in changes(current, steps):
            self.note(rule, column, before, after)
            current = after
        return current
