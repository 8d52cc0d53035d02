"""Accounts, reservations, call records and the ledger."""

from __future__ import annotations

from callplane.store.migrations import scripts

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    scripts.run("v0002_books.sql")


def downgrade() -> None:
    scripts.refuse_downgrade()
