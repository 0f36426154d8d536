"""How many entities have the values that are asked for most, by kind. Empty: the next write of entities counts all.

Revision: 0010
Revises: 0009
"""
import sqlalchemy as sa
from alembic import op


revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('catalog_value_count',
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('path', sa.Text(), nullable=False),
    sa.Column('value', sa.Text(), nullable=False),
    sa.Column('original', sa.Text(), nullable=False),
    sa.Column('entities', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('kind', 'path', 'value', 'original', name=op.f('pk_catalog_value_count'))
    )


def downgrade() -> None:
    op.drop_table('catalog_value_count')
