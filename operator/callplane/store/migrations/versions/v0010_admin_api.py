"""Views for the admin API, the only thing its role may read."""

from __future__ import annotations

from callplane.store.migrations import scripts

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    scripts.run("v0010_admin_api.sql")


def downgrade() -> None:
    scripts.refuse_downgrade()
