"""Closed statements, evidence about calls, who was active, notices, and calls in batches."""

from __future__ import annotations

from callplane.store.migrations import scripts

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    scripts.run("v0004_truth.sql")


def downgrade() -> None:
    scripts.refuse_downgrade()
