"""Decks: prices of rate cards by their digest."""

from __future__ import annotations

from callplane.store.migrations import scripts

revision = "0007"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    scripts.run("v0007_decks.sql")


def downgrade() -> None:
    scripts.refuse_downgrade()
