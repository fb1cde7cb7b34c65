"""The window: the CSV file under way of one service, and the register of what was carried away.

Lines are whole or not there: a line torn by a crash is cut off when the window is opened again. The
register holds references only; it is written before a file gets its final name, so that a reference
once delivered is never delivered twice.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from connectors.kit import append_line, rename, replace_content
from schemas import clock

PREREGISTRATION: Final = "preinscription"
ACTIVATION: Final = "activation"
WITHDRAWAL: Final = "annulation"
HEADER: Final = (
    "reference",
    "mouvement",
    "nom",
    "prenom",
    "courriel",
    "telephone",
    "code_commune",
    "commune",
    "langue",
    "expire_le",
    "emise_le",
)
MEMBERS: Final = (
    "family_name",
    "given_name",
    "email",
    "phone",
    "commune",
    "commune_name",
    "language",
    "expires_on",
)
BOM: Final = b"\xef\xbb\xbf"
END: Final = b"\r\n"
FORMULA: Final = ("=", "+", "-", "@", "\t")
BREAKS: Final = re.compile(r"[\r\n\x00\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")
SERVICE: Final = re.compile(r"[a-z][a-z0-9_]{1,39}")
PARIS: Final = ZoneInfo("Europe/Paris")
REGISTER_DAYS: Final = 400


class Window:
    """One service's window; the caller holds the folder."""

    def __init__(self, directory: Path, service: Any) -> None:
        if not isinstance(service, str) or SERVICE.fullmatch(service) is None:
            raise ValueError(service)
        self._directory = directory
        self._service = service
        self._register = directory / f".registre_{service}.jsonl"
        parts = sorted(directory.glob(f"preinscriptions_{service}_????????_*.csv.part"))
        self._part = parts[0] if parts else None
        self._closed = self._read_register()
        self._rows = self._read_part()

    def has(self, movement: str, our_ref: str) -> bool:
        """Whether the line was written, carried away or not."""
        return self.is_closed(movement, our_ref) or (movement, our_ref) in self._keys()

    def is_closed(self, movement: str, our_ref: str) -> bool:
        """Whether the line is in a file that has its final name."""
        return (movement, our_ref) in self._closed

    def put(self, movement: str, our_ref: str, data: Mapping[str, Any]) -> None:
        """Add a line unless it was written before."""
        if self.has(movement, our_ref):
            return
        row = [our_ref, movement, *(_text(data.get(name)) for name in MEMBERS), _day().isoformat()]
        if self._part is None:
            self._part = self._directory / f"{self._next_name()}.part"
            append_line(self._part, BOM + _line(HEADER) + _line(row))
        else:
            append_line(self._part, _line(row))
        self._rows.append([_guarded(cell) for cell in row])

    def take_back(self, our_ref: str) -> None:
        """Remove the waiting lines of a reference."""
        kept = [row for row in self._rows if row[0] != our_ref]
        if self._part is None or len(kept) == len(self._rows):
            return
        if kept:
            replace_content(self._part, BOM + _line(HEADER) + b"".join(map(_written, kept)))
        else:
            self._part.unlink()
            self._part = None
        self._rows = kept

    def close(self) -> tuple[str | None, int]:
        """Give the file its final name; return it with its number of lines."""
        if self._part is None or not self._rows:
            return None, 0
        name = self._name()
        today = _day().isoformat()
        self._write_register(
            [_record(movement, ref, name, today) for movement, ref in self._keys()]
        )
        rename(self._part, self._directory / name)
        return name, len(self._rows)

    def _name(self) -> str:
        return "" if self._part is None else self._part.name.removesuffix(".part")

    def _keys(self) -> list[tuple[str, str]]:
        return [(row[1], row[0]) for row in self._rows]

    def _next_name(self) -> str:
        stem = f"preinscriptions_{self._service}_{_day():%Y%m%d}_"
        seen = {path.name for path in self._directory.glob(f"{stem}*")} | set(self._closed.values())
        numbers = (re.match(rf"{stem}(\d+)\.csv", name) for name in seen)
        last = max((int(match[1]) for match in numbers if match), default=0)
        return f"{stem}{last + 1:03d}.csv"

    def _read_part(self) -> list[list[str]]:
        if self._part is None:
            return []
        content = self._part.read_bytes()
        whole = content[: content.rfind(END) + len(END)] if END in content else b""
        if whole != content:
            replace_content(self._part, whole)
        text = whole.decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))
        if not rows:
            self._part.unlink()
            self._part = None
        return rows[1:]

    def _read_register(self) -> dict[tuple[str, str], str]:
        """Return the final name each line got.

        A torn last record is cut off, and so is what a crash wrote before a file got its final name:
        the lines still wait.
        """
        if not self._register.exists():
            return {}
        content = self._register.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        records = [(line, json.loads(line)) for line in whole.splitlines(keepends=True)]
        kept = [(line, each) for line, each in records if each["file"] != self._name()]
        mended = b"".join(line for line, _ in kept)
        if mended != content:
            replace_content(self._register, mended)
        return {(each["movement"], each["reference"]): each["file"] for _, each in kept}

    def _write_register(self, records: Iterable[bytes]) -> None:
        """Add records, and forget those that no pre-registration can still refer to."""
        oldest = (_day() - timedelta(days=REGISTER_DAYS)).isoformat()
        old = (
            self._register.read_bytes().splitlines(keepends=True) if self._register.exists() else []
        )
        kept = [line for line in old if json.loads(line)["on"] >= oldest]
        if len(kept) == len(old):
            append_line(self._register, b"".join(records))
        else:
            replace_content(self._register, b"".join((*kept, *records)))


def _record(movement: str, our_ref: str, name: str, today: str) -> bytes:
    record = {"movement": movement, "reference": our_ref, "file": name, "on": today}
    return json.dumps(record).encode() + b"\n"


def _day() -> date:
    return clock.utcnow().astimezone(PARIS).date()


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _guarded(cell: str) -> str:
    """Return a cell that no spreadsheet runs, on one line."""
    one_line = BREAKS.sub(" ", cell)
    return f"'{one_line}" if one_line.startswith(FORMULA) else one_line


def _line(cells: Iterable[str]) -> bytes:
    return _written(map(_guarded, cells))


def _written(cells: Iterable[str]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=";", lineterminator="\r\n").writerow(cells)
    return out.getvalue().encode()
