"""The table the data protection officer reads and the columns of the database say the same."""

import re

from tests.architecture.tree import ROOT, files, text

MIGRATIONS = "orchestrator/store/migrations/versions"
COMMENT = re.compile(r"COMMENT ON COLUMN (?P<column>[a-z_.]+) IS\s+'(?P<said>[^']*)'")
ROW = re.compile(r"^\| [^|]+ \| `(?P<column>[a-z_.]+)` \|(?P<rest>.*)\|$", re.MULTILINE)
ERASERS = {"row": "ligne", "data key": "clé de données"}
# columns that hold what somebody typed or sent, sealed or not, must carry a mark
SEALED = re.compile(
    r"^\s+(?P<name>body|data|output|payload|request|response)\s+bytea", re.MULTILINE
)


def _marks():
    sql = "\n".join(text(path) for path in files(MIGRATIONS) if path.suffix in {".sql", ".py"})
    return {match["column"]: _members(match["said"]) for match in COMMENT.finditer(sql)}


def _members(said):
    return dict(part.strip().split("=", 1) for part in said.split(";"))


def _rows():
    return {m["column"]: m["rest"] for m in ROW.finditer(text(ROOT / "docs/privacy.md"))}


def test_every_marked_column_has_its_line():
    assert _marks()
    assert _marks().keys() - _rows().keys() == set()


def test_a_line_names_a_marked_column_or_a_table():
    tables = set(re.findall(r"CREATE TABLE (\w+)", "".join(map(text, files(MIGRATIONS)))))

    assert {name for name in _rows() if name not in _marks()} <= tables


def test_a_mark_says_class_purpose_retention_and_eraser():
    whole = {"pii", "purpose", "retention", "eraser"}

    assert [column for column, mark in _marks().items() if mark.keys() != whole] == []


def test_a_line_tells_the_same_eraser_as_the_column():
    rows = _rows()

    assert [
        column for column, mark in _marks().items() if ERASERS[mark["eraser"]] not in rows[column]
    ] == []


def test_every_sealed_column_is_marked():
    sealed = set()
    for path in files(MIGRATIONS):
        for table, columns in re.findall(r"CREATE TABLE (\w+)\((.*?)\n?\)", text(path), re.DOTALL):
            sealed |= {f"{table}.{match['name']}" for match in SEALED.finditer(columns)}

    assert sealed
    assert sealed - _marks().keys() == set()
