"""Search keys per kind; no relation is looked up by its target any more.

Revision: 0005
Revises: 0004
"""
import sqlalchemy as sa
from alembic import op


revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

SEARCH_INDEX = 'ix_catalog_search_key_id_value_entity_id_original_is_item'
SEARCH_COLUMNS = ['key_id', 'value', 'entity_id', 'original', 'is_item']


def upgrade() -> None:
    with op.batch_alter_table('catalog_relation', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_catalog_relation_target_ref_type_source_ref'))

    with op.batch_alter_table('catalog_search_key', schema=None) as batch_op:
        batch_op.add_column(sa.Column('kind', sa.Text(), nullable=True))
        batch_op.drop_constraint(batch_op.f('uq_catalog_search_key_name'), type_='unique')
        batch_op.create_unique_constraint(batch_op.f('uq_catalog_search_key_kind_name'), ['kind', 'name'])
    _give_each_kind_its_keys()


def downgrade() -> None:
    _give_all_kinds_one_key()
    with op.batch_alter_table('catalog_search_key', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('uq_catalog_search_key_kind_name'), type_='unique')
        batch_op.create_unique_constraint(batch_op.f('uq_catalog_search_key_name'), ['name'])
        batch_op.drop_column('kind')

    with op.batch_alter_table('catalog_relation', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_catalog_relation_target_ref_type_source_ref'), ['target_ref', 'type', 'source_ref'], unique=False)


def _give_each_kind_its_keys() -> None:
    """Let each row of the rest-index name the key of its entity's kind."""
    _without_search_index(
        "INSERT INTO catalog_search_key (kind, name) SELECT DISTINCT e.kind, k.name FROM catalog_search s "
        "JOIN catalog_entity e ON e.id = s.entity_id JOIN catalog_search_key k ON k.id = s.key_id WHERE k.kind IS NULL",
        "UPDATE catalog_search SET key_id = m.per_kind FROM (SELECT e.id AS entity_id, o.id AS shared, n.id AS per_kind "
        "FROM catalog_entity e JOIN catalog_search_key n ON n.kind = e.kind "
        "JOIN catalog_search_key o ON o.name = n.name AND o.kind IS NULL) m "
        "WHERE m.entity_id = catalog_search.entity_id AND m.shared = catalog_search.key_id",
        "DELETE FROM catalog_search_key WHERE kind IS NULL",
    )


def _give_all_kinds_one_key() -> None:
    """Let each row of the rest-index name the first key of its name again."""
    _without_search_index(
        "UPDATE catalog_search SET key_id = m.shared FROM (SELECT k.id AS per_kind, f.id AS shared "
        "FROM catalog_search_key k JOIN (SELECT name, min(id) AS id FROM catalog_search_key GROUP BY name) f "
        "ON f.name = k.name) m WHERE m.per_kind = catalog_search.key_id",
        "DELETE FROM catalog_search_key WHERE id NOT IN (SELECT min(id) FROM catalog_search_key GROUP BY name)",
    )


def _without_search_index(*statements: str) -> None:
    """Run statements that rewrite the rest-index; its covering index, kept row by row, would take most of the time."""
    with op.batch_alter_table('catalog_search', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f(SEARCH_INDEX))
    for statement in statements:
        op.execute(statement)
    with op.batch_alter_table('catalog_search', schema=None) as batch_op:
        batch_op.create_index(batch_op.f(SEARCH_INDEX), SEARCH_COLUMNS, unique=False)
