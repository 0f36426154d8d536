"""Indexes of entities without their id, to count by: equal keys stand once in them.

Revision: 0007
Revises: 0006
"""
from alembic import op


revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('catalog_entity', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_catalog_entity_kind_namespace_id'))
        batch_op.create_index(batch_op.f('ix_catalog_entity_kind_namespace'), ['kind', 'namespace'], unique=False)
        batch_op.create_index(batch_op.f('ix_catalog_entity_kind_type_type_original'), ['kind', 'type', 'type_original'], unique=False)
        batch_op.create_index(batch_op.f('ix_catalog_entity_kind_lifecycle_lifecycle_original'), ['kind', 'lifecycle', 'lifecycle_original'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('catalog_entity', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_catalog_entity_kind_lifecycle_lifecycle_original'))
        batch_op.drop_index(batch_op.f('ix_catalog_entity_kind_type_type_original'))
        batch_op.drop_index(batch_op.f('ix_catalog_entity_kind_namespace'))
        batch_op.create_index(batch_op.f('ix_catalog_entity_kind_namespace_id'), ['kind', 'namespace', 'id'], unique=False)
