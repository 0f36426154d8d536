"""Circuits of sources, and when each was read whole.

Revision: 0003
Revises: 0002
"""
import sqlalchemy as sa
from alembic import op


revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('plugin_source', schema=None) as batch_op:
        batch_op.add_column(sa.Column('circuit_opened_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('reconciled_at', sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table('plugin_source_run', schema=None) as batch_op:
        batch_op.add_column(sa.Column('probe', sa.Boolean(), nullable=True))
        batch_op.add_column(sa.Column('reconcile', sa.Boolean(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('plugin_source_run', schema=None) as batch_op:
        batch_op.drop_column('reconcile')
        batch_op.drop_column('probe')

    with op.batch_alter_table('plugin_source', schema=None) as batch_op:
        batch_op.drop_column('reconciled_at')
        batch_op.drop_column('circuit_opened_at')
