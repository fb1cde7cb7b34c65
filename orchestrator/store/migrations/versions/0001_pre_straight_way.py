"""The first tables: what came in, runs and their log, people, libraries, consent, the offer."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create everything; the SQL stands beside, as written."""
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
