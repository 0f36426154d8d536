"""Indexes that reading uses: of texts within names and titles (PostgreSQL, where pg_trgm may be used), and in the order
of references. In which way values were found in the stored entities: empty has them found anew.

Revision: 0011
Revises: 0010
"""
import sqlalchemy as sa
from alembic import op


revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None

INDEX_TEXTS = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm') THEN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
        CREATE INDEX IF NOT EXISTS ix_catalog_entity_trigrams ON catalog_entity
            USING gin (name gin_trgm_ops, title gin_trgm_ops) WITH (gin_pending_list_limit = 256);
    END IF;
EXCEPTION WHEN insufficient_privilege OR feature_not_supported OR undefined_object OR undefined_file THEN
    RAISE NOTICE 'pg_trgm cannot be used here: texts are looked for entity by entity';
END $$
"""


def upgrade() -> None:
    with op.batch_alter_table('catalog_entity', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_catalog_entity_kind_namespace'))
        batch_op.drop_index(batch_op.f('ix_catalog_entity_kind_ref'))
        batch_op.create_index(batch_op.f('ix_catalog_entity_kind_ref_id'), ['kind', 'ref', 'id'], unique=False)

    with op.batch_alter_table('catalog_version', schema=None) as batch_op:
        batch_op.add_column(sa.Column('indexed_as', sa.Integer(), nullable=True))

    if op.get_bind().dialect.name == 'postgresql':
        op.execute(INDEX_TEXTS)


def downgrade() -> None:
    if op.get_bind().dialect.name == 'postgresql':
        op.execute('DROP INDEX IF EXISTS ix_catalog_entity_trigrams')

    with op.batch_alter_table('catalog_version', schema=None) as batch_op:
        batch_op.drop_column('indexed_as')

    with op.batch_alter_table('catalog_entity', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_catalog_entity_kind_ref_id'))
        batch_op.create_index(batch_op.f('ix_catalog_entity_kind_ref'), ['kind', 'ref'], unique=False)
        batch_op.create_index(batch_op.f('ix_catalog_entity_kind_namespace'), ['kind', 'namespace'], unique=False)
