"""The table of rights in SECURITY.md is what the database's catalogue says."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from callplane.store import database_rights, schema

ROLES = ("rights_service", "rights_calls", "rights_reader")
HEADING = "### Rights in the database"
ROW = re.compile(r"^\| `([a-z_]+\.[a-z_]+)` \| (.*) \|$", re.MULTILINE)


@pytest.fixture
def owner(database_dsn: str) -> psycopg.Connection:
    with psycopg.connect(database_dsn, autocommit=True) as session:
        for role in ROLES:
            if not database_rights.exists(session, role):
                session.execute(f"create role {role}")
    service, calls, reader = ROLES
    schema.upgrade(database_dsn, service_role=service, call_role=calls, reader_role=reader)
    return psycopg.connect(database_dsn, autocommit=True)


def catalogue(session: psycopg.Connection) -> dict[str, str]:
    """Rows of the table as they ought to be, by table."""
    found = [database_rights.rights(session, role) for role in ROLES]
    return {
        table: " | ".join(", ".join(rights.get(table, ())) or "–" for rights in found)
        for table in found[0]
    }


def told(page: str) -> dict[str, str]:
    return dict(ROW.findall(page.partition(HEADING)[2].partition("\n## ")[0]))


def test_security_says_what_the_catalogue_says(owner: psycopg.Connection, root: Path) -> None:
    expected = catalogue(owner)
    written = "\n".join(f"| `{table}` | {cells} |" for table, cells in expected.items())
    page = (root / "SECURITY.md").read_text(encoding="utf-8")
    owner.close()
    assert told(page) == expected, f"the table should be\n{written}"


def test_a_right_that_nobody_told_of_is_caught(owner: psycopg.Connection, root: Path) -> None:
    page = (root / "SECURITY.md").read_text(encoding="utf-8")
    owner.execute(f"grant delete on books.postings to {ROLES[1]}")
    assert told(page) != catalogue(owner)
    owner.close()


@pytest.fixture
def root() -> Path:
    return Path(__file__).parents[2]
