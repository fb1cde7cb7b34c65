"""One identity: logins, sessions, accounts, merges, staff, applications, the journal."""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it; the SQL stands beside, as written."""
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
