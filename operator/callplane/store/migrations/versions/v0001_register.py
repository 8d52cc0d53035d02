"""The number register, intents, the gate's state, connections and history."""

from __future__ import annotations

from callplane.store.migrations import scripts

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    scripts.run("v0001_register.sql")


def downgrade() -> None:
    scripts.refuse_downgrade()
