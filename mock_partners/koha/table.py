"""Rows in memory with the few indexes that keep a lookup among 100,000 patrons cheap."""

from collections.abc import Iterator, Mapping

from mock_partners.koha.fields import fold

__all__ = ["Row", "Table"]

Row = dict[str, object]


class Table:
    """Rows by number; `indexed` members can be looked up by their folded value."""

    def __init__(self, *, first_id: int = 1, indexed: tuple[str, ...] = ()) -> None:
        self._rows: dict[int, Row] = {}
        self._next = first_id
        self._indexes: dict[str, dict[str, set[int]]] = {name: {} for name in indexed}

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def get(self, row_id: int) -> Row | None:
        """The row of this number."""
        return self._rows.get(row_id)

    def new_id(self) -> int:
        """The next number."""
        row_id, self._next = self._next, self._next + 1
        return row_id

    def put(self, row_id: int, row: Row) -> None:
        """Create or replace a row."""
        self.remove(row_id)
        self._rows[row_id] = row
        self._next = max(self._next, row_id + 1)
        for name, index in self._indexes.items():
            if row.get(name) not in (None, ""):
                index.setdefault(fold(str(row[name])), set()).add(row_id)

    def remove(self, row_id: int) -> None:
        """Forget a row."""
        row = self._rows.pop(row_id, None)
        if row is None:
            return
        for name, index in self._indexes.items():
            if row.get(name) not in (None, ""):
                index[fold(str(row[name]))].discard(row_id)

    def having(self, name: str, value: object) -> list[Row]:
        """The rows whose indexed member equals `value`, case and accents aside."""
        found = self._indexes[name].get(fold(str(value)), ())
        return [self._rows[row_id] for row_id in sorted(found)]

    def narrowed(self, wanted: Mapping[str, object]) -> list[Row]:
        """Rows that may have all the wanted values: the smallest indexed set, or every row."""
        keys: list[set[int]] = [
            self._indexes[name].get(fold(str(value)), set())
            for name, value in wanted.items()
            if name in self._indexes
        ]
        if not keys:
            return list(self._rows.values())
        keys.sort(key=len)
        return [self._rows[row_id] for row_id in sorted(keys[0])]
