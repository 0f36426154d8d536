"""Shares of points for levels; scorecards are renewed without their indexes.

Revision: 0009
Revises: 0008
"""
import sqlalchemy as sa
from alembic import op


revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('catalogue_version', schema=None) as batch_op:
        batch_op.add_column(sa.Column('levels_by_points', sa.JSON(none_as_null=True), nullable=True))

    with op.batch_alter_table('scorecard', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_scorecard_valid_until'))
    if op.get_bind().dialect.name == 'postgresql':
        op.execute('ALTER TABLE scorecard SET (fillfactor = 50)')


def downgrade() -> None:
    if op.get_bind().dialect.name == 'postgresql':
        op.execute('ALTER TABLE scorecard RESET (fillfactor)')
    with op.batch_alter_table('scorecard', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_scorecard_valid_until'), ['valid_until'], unique=False)

    with op.batch_alter_table('catalogue_version', schema=None) as batch_op:
        batch_op.drop_column('levels_by_points')
