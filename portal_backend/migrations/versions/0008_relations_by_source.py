"""One index of relations by source, and a narrow one by the entity that declares them, in place of two wide ones.

Revision: 0008
Revises: 0007
"""
from alembic import op


revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('catalog_relation', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_catalog_relation_source_ref_type_target_ref'))
        batch_op.drop_constraint(batch_op.f('pk_catalog_relation'), type_='primary')
        batch_op.create_primary_key(batch_op.f('pk_catalog_relation'), ['source_ref', 'type', 'target_ref', 'declared_by'])
        batch_op.create_index(batch_op.f('ix_catalog_relation_declared_by'), ['declared_by'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('catalog_relation', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_catalog_relation_declared_by'))
        batch_op.drop_constraint(batch_op.f('pk_catalog_relation'), type_='primary')
        batch_op.create_primary_key(batch_op.f('pk_catalog_relation'), ['declared_by', 'source_ref', 'type', 'target_ref'])
        batch_op.create_index(batch_op.f('ix_catalog_relation_source_ref_type_target_ref'), ['source_ref', 'type', 'target_ref'], unique=False)
