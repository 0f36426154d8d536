"""The catalog's life: due times, parents, orphans, changes, versions; discovery; indexes for its queries.

Revision: 0004
Revises: 0003
"""
import sqlalchemy as sa
from alembic import op


revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('catalog_discovery_run',
    sa.Column('provider', sa.Text(), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_attempt_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_success_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.Column('found', sa.Integer(), nullable=False),
    sa.Column('withheld', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('provider', name=op.f('pk_catalog_discovery_run'))
    )
    op.create_table('catalog_entity_change',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('ref', sa.Text(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('actor', sa.Text(), nullable=False),
    sa.Column('from_etag', sa.Text(), nullable=True),
    sa.Column('to_etag', sa.Text(), nullable=True),
    sa.Column('fields', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_catalog_entity_change'))
    )
    with op.batch_alter_table('catalog_entity_change', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_catalog_entity_change_at'), ['at'], unique=False)
        batch_op.create_index(batch_op.f('ix_catalog_entity_change_ref_id'), ['ref', 'id'], unique=False)

    op.create_table('catalog_version',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('lineage', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_catalog_version'))
    )
    op.create_table('catalog_discovered_location',
    sa.Column('location_id', sa.String(length=36), nullable=False),
    sa.Column('provider', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['location_id'], ['catalog_location.id'], name=op.f('fk_catalog_discovered_location_location_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('location_id', name=op.f('pk_catalog_discovered_location'))
    )
    with op.batch_alter_table('catalog_discovered_location', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_catalog_discovered_location_provider'), ['provider'], unique=False)

    with op.batch_alter_table('catalog_entity', schema=None) as batch_op:
        batch_op.add_column(sa.Column('parent_ref', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('orphaned_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.drop_index(batch_op.f('ix_catalog_entity_kind_name_id'))
        batch_op.create_index(batch_op.f('ix_catalog_entity_kind_name_id_title'), ['kind', 'name', 'id', 'title'], unique=False)

    with op.batch_alter_table('catalog_fault', schema=None) as batch_op:
        batch_op.add_column(sa.Column('shown_at', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('supplied_by', sa.Text(), nullable=True))
        batch_op.create_index(batch_op.f('ix_catalog_fault_shown_at'), ['shown_at'], unique=False)

    with op.batch_alter_table('catalog_location', schema=None) as batch_op:
        batch_op.add_column(sa.Column('due_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('registered_by', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('configured', sa.Boolean(), nullable=True))
        batch_op.add_column(sa.Column('moved_at', sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table('catalog_relation', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_catalog_relation_declared_by'), type_='foreignkey')

    with op.batch_alter_table('catalog_search', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_catalog_search_key_id_value_entity_id'))
        batch_op.create_index(batch_op.f('ix_catalog_search_key_id_value_entity_id_original_is_item'), ['key_id', 'value', 'entity_id', 'original', 'is_item'], unique=False)
        batch_op.drop_constraint(batch_op.f('fk_catalog_search_key_id'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_catalog_search_entity_id'), type_='foreignkey')

    # What a file led to is remembered in another form, and each entity by the Location that led to it: read all again.
    op.execute("DELETE FROM catalog_location_file")
    op.execute("UPDATE catalog_entity SET document_hash = ''")


def downgrade() -> None:
    with op.batch_alter_table('catalog_search', schema=None) as batch_op:
        batch_op.create_foreign_key(batch_op.f('fk_catalog_search_entity_id'), 'catalog_entity', ['entity_id'], ['id'], ondelete='CASCADE')
        batch_op.create_foreign_key(batch_op.f('fk_catalog_search_key_id'), 'catalog_search_key', ['key_id'], ['id'])
        batch_op.drop_index(batch_op.f('ix_catalog_search_key_id_value_entity_id_original_is_item'))
        batch_op.create_index(batch_op.f('ix_catalog_search_key_id_value_entity_id'), ['key_id', 'value', 'entity_id'], unique=False)

    with op.batch_alter_table('catalog_relation', schema=None) as batch_op:
        batch_op.create_foreign_key(batch_op.f('fk_catalog_relation_declared_by'), 'catalog_entity', ['declared_by'], ['id'], ondelete='CASCADE')

    with op.batch_alter_table('catalog_location', schema=None) as batch_op:
        batch_op.drop_column('moved_at')
        batch_op.drop_column('configured')
        batch_op.drop_column('registered_by')
        batch_op.drop_column('due_at')

    with op.batch_alter_table('catalog_fault', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_catalog_fault_shown_at'))
        batch_op.drop_column('supplied_by')
        batch_op.drop_column('shown_at')

    with op.batch_alter_table('catalog_entity', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_catalog_entity_kind_name_id_title'))
        batch_op.create_index(batch_op.f('ix_catalog_entity_kind_name_id'), ['kind', 'name', 'id'], unique=False)
        batch_op.drop_column('orphaned_at')
        batch_op.drop_column('parent_ref')

    with op.batch_alter_table('catalog_discovered_location', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_catalog_discovered_location_provider'))

    op.drop_table('catalog_discovered_location')
    op.drop_table('catalog_version')
    with op.batch_alter_table('catalog_entity_change', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_catalog_entity_change_ref_id'))
        batch_op.drop_index(batch_op.f('ix_catalog_entity_change_at'))

    op.drop_table('catalog_entity_change')
    op.drop_table('catalog_discovery_run')
