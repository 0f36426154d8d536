"""The repository that each discovered location was found in, by its provider's own number: it stays when it is renamed.

Revision: 0012
Revises: 0011
"""
import sqlalchemy as sa
from alembic import op


revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('catalog_discovered_location', schema=None) as batch_op:
        batch_op.add_column(sa.Column('repository', sa.Text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('catalog_discovered_location', schema=None) as batch_op:
        batch_op.drop_column('repository')
