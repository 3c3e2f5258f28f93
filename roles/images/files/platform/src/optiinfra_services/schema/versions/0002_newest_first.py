"""Indexes for what portal and agents read: the newest requests and recommendations."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("CREATE INDEX recommendations_newest ON recommendations (agent, seen_at DESC, id DESC)")
    op.execute("CREATE INDEX orchestrator_requests_newest ON orchestrator_requests (created_at DESC)")


def downgrade() -> None:
    op.execute("DROP INDEX orchestrator_requests_newest")
    op.execute("DROP INDEX recommendations_newest")
