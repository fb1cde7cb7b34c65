"""The schema as text: what a database really holds, to compare with the committed reference.

``python -m orchestrator.store.catalogue URL`` prints it; ``schema.txt`` beside is the reference.
"""

import sys
from typing import Final

from orchestrator.store.connections import Connection, Database

_COLUMNS: Final = """
SELECT c.relname AS relation, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS kind,
       a.attnotnull AS needed, pg_get_expr(d.adbin, d.adrelid) AS otherwise,
       col_description(c.oid, a.attnum) AS comment
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
   AND c.relname <> 'alembic_version' ORDER BY c.relname, a.attnum"""
_INDEXES: Final = """
SELECT tablename AS relation, indexdef AS definition FROM pg_indexes i
  JOIN pg_class c ON c.relname = i.tablename AND c.relnamespace = 'public'::regnamespace
 WHERE i.schemaname = 'public' AND NOT c.relispartition AND i.tablename <> 'alembic_version'
 ORDER BY tablename, indexname"""
_CONSTRAINTS: Final = """
SELECT conrelid::regclass::text AS relation, pg_get_constraintdef(k.oid) AS definition
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
 WHERE k.connamespace = 'public'::regnamespace AND k.contype IN ('c', 'f') AND NOT c.relispartition
 ORDER BY 1, 2"""
_TRIGGERS: Final = """
SELECT t.tgrelid::regclass::text AS relation, pg_get_triggerdef(t.oid) AS definition
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
 WHERE NOT t.tgisinternal AND c.relnamespace = 'public'::regnamespace AND NOT c.relispartition
 ORDER BY 1, 2"""


def described(connection: Connection) -> str:
    """Return every table: columns, checks, indexes, triggers, one line each, in a fixed order."""
    lines = [_column(row) for row in connection.execute(_COLUMNS)]
    lines += [f"{row['relation']}: {row['definition']}" for row in connection.execute(_CONSTRAINTS)]
    lines += [f"{row['relation']}: {row['definition']}" for row in connection.execute(_INDEXES)]
    lines += [f"{row['relation']}: {row['definition']}" for row in connection.execute(_TRIGGERS)]
    return "\n".join(lines) + "\n"


def _column(row: dict[str, object]) -> str:
    needed = " NOT NULL" if row["needed"] else ""
    otherwise = f" DEFAULT {row['otherwise']}" if row["otherwise"] else ""
    comment = f"  -- {row['comment']}" if row["comment"] else ""
    return f"{row['relation']}.{row['name']} {row['kind']}{needed}{otherwise}{comment}"


if __name__ == "__main__":
    with Database(sys.argv[1]).connection() as opened:
        sys.stdout.write(described(opened))
