"""Runs the SQL files of the migrations; called by the modules under `versions`."""

from __future__ import annotations

from importlib import resources
from typing import NoReturn

from alembic import op

from callplane.errors import CallplaneError


def run(name: str) -> None:
    """Run one file of `sql`, as it is: no parameters, no escapes."""
    file = resources.files(__package__) / "sql" / name
    op.get_bind().exec_driver_sql(
        file.read_text(encoding="utf-8"), execution_options={"no_parameters": True}
    )


def refuse_downgrade() -> NoReturn:
    """History cannot be unwritten, so there is no way back but a backup."""
    raise CallplaneError("the database cannot be downgraded: restore a backup instead")
