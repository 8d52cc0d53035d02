"""What call control decides by, as the operator writes it."""

from __future__ import annotations

from callplane.store.migrations import scripts

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    scripts.run("v0003_calls.sql")


def downgrade() -> None:
    scripts.refuse_downgrade()
