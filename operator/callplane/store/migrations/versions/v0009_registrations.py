"""Phones that were registered in a month, and numbers that were hosted in it."""

from __future__ import annotations

from callplane.store.migrations import scripts

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    scripts.run("v0009_registrations.sql")


def downgrade() -> None:
    scripts.refuse_downgrade()
