"""The first schema."""

from alembic import op

from sereno.store.tables import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates every table of the first version."""
    metadata.create_all(op.get_bind())
