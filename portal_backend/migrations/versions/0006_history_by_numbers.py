"""Fact history by numbers; repeated batches; answers kept by ETag; events of webhooks.

Revision: 0006
Revises: 0005
"""
import sqlalchemy as sa
from alembic import op


revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('fact_name',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_fact_name')),
    sa.UniqueConstraint('key', 'source', name=op.f('uq_fact_name_key_source'))
    )
    op.create_table('fact_subject',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('entity_ref', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_fact_subject')),
    sa.UniqueConstraint('entity_ref', name=op.f('uq_fact_subject_entity_ref'))
    )
    op.create_table('fact_value',
    sa.Column('subject_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('name_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('observed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('value', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('subject_id', 'name_id', 'observed_at', name=op.f('pk_fact_value')),
    sqlite_with_rowid=False
    )
    _number_fact_changes()
    op.drop_table('fact_change')

    op.create_table('plugin_kept_answer',
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('etag', sa.Text(), nullable=False),
    sa.Column('following', sa.Text(), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.Column('held_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('source', 'key', name=op.f('pk_plugin_kept_answer'))
    )
    with op.batch_alter_table('plugin_kept_answer', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_plugin_kept_answer_held_at'), ['held_at'], unique=False)

    with op.batch_alter_table('entity_facts', schema=None) as batch_op:
        batch_op.add_column(sa.Column('batch_digest', sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column('batch_observed_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('batch_collected_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('batch_repeats_until', sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table('webhook_subscription', schema=None) as batch_op:
        batch_op.add_column(sa.Column('events', sa.String(length=100), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('webhook_subscription', schema=None) as batch_op:
        batch_op.drop_column('events')

    with op.batch_alter_table('entity_facts', schema=None) as batch_op:
        batch_op.drop_column('batch_repeats_until')
        batch_op.drop_column('batch_collected_at')
        batch_op.drop_column('batch_observed_at')
        batch_op.drop_column('batch_digest')

    op.drop_table('plugin_kept_answer')

    op.create_table('fact_change',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('entity_ref', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('value', sa.Text(), nullable=False),
    sa.Column('observed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('collected_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_fact_change'))
    )
    op.execute(
        "INSERT INTO fact_change (entity_ref, key, source, value, observed_at, collected_at) "
        "SELECT s.entity_ref, n.key, n.source, v.value, v.observed_at, v.observed_at FROM fact_value v "
        "JOIN fact_subject s ON s.id = v.subject_id JOIN fact_name n ON n.id = v.name_id"
    )
    with op.batch_alter_table('fact_change', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_fact_change_entity_ref_key_observed_at'), ['entity_ref', 'key', 'observed_at'], unique=False)
    op.drop_table('fact_value')
    op.drop_table('fact_subject')
    op.drop_table('fact_name')


def _number_fact_changes() -> None:
    """Copy the history; of two values of one moment the later stored one stays."""
    op.execute("INSERT INTO fact_subject (entity_ref) SELECT DISTINCT entity_ref FROM fact_change")
    op.execute("INSERT INTO fact_name (key, source) SELECT DISTINCT key, source FROM fact_change")
    op.execute(
        "INSERT INTO fact_value (subject_id, name_id, observed_at, value) "
        "SELECT s.id, n.id, c.observed_at, c.value FROM fact_change c "
        "JOIN fact_subject s ON s.entity_ref = c.entity_ref "
        "JOIN fact_name n ON n.key = c.key AND n.source = c.source "
        "WHERE c.id IN (SELECT max(id) FROM fact_change GROUP BY entity_ref, key, source, observed_at)"
    )
