"""Requests of the orchestrator, and recommendations of the agents.

IF NOT EXISTS, since releases before migrations made the same tables themselves.
"""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE IF NOT EXISTS orchestrator_requests (
            id uuid PRIMARY KEY,
            created_at timestamptz NOT NULL DEFAULT now(),
            question text NOT NULL,
            status text NOT NULL,
            results jsonb NOT NULL
        )
    """)
    op.execute("""
        CREATE TABLE IF NOT EXISTS recommendations (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            agent text NOT NULL,
            customer uuid NOT NULL,
            target text NOT NULL,
            rule text NOT NULL,
            subject text NOT NULL,
            severity text NOT NULL,
            summary text NOT NULL,
            evidence jsonb NOT NULL,
            hour timestamptz NOT NULL DEFAULT date_trunc('hour', now()),
            seen_at timestamptz NOT NULL DEFAULT now(),
            UNIQUE (agent, customer, target, rule, subject, hour)
        )
    """)


def downgrade() -> None:
    op.execute("DROP TABLE recommendations")
    op.execute("DROP TABLE orchestrator_requests")
