"""What a role of the database may do to each table, as its catalogue says, and what it must never
be able to do.

Called by `callplane database verify`, since a restore can bring tables back with other rights than
they had, and by the test that compares the table in SECURITY.md with what the upgrade grants.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import psycopg

SCHEMAS = ("register", "books", "calls", "decks", "admin_api")
#: What is only ever added to: nobody but the owner of the tables may change or remove a row.
ADDED_TO = (
    "register.number_events",
    "register.number_links",
    "register.chain_checkpoints",
    "books.postings",
    "books.cdrs",
    "books.leg_keys",
    "books.statements",
    "books.notices",
    "decks.decks",
    "decks.prices",
)
_RIGHTS = """
select n.nspname || '.' || c.relname, kind.privilege,
    has_table_privilege(%(role)s, c.oid, kind.privilege),
    case when kind.privilege in ('SELECT', 'INSERT', 'UPDATE') then array(
        select a.attname::text from pg_attribute as a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        and has_column_privilege(%(role)s, c.oid, a.attnum, kind.privilege) order by a.attnum)
    else '{}' end
from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) with ordinality
    as kind (privilege, nth)
where n.nspname = any(%(schemas)s) and c.relkind in ('r', 'p', 'v') and not c.relispartition
order by n.nspname, c.relname, kind.nth
"""


def exists(session: psycopg.Connection, role: str) -> bool:
    found = session.execute("select from pg_roles where rolname = %s", (role,))
    return found.fetchone() is not None


def rights(session: psycopg.Connection, role: str) -> Mapping[str, tuple[str, ...]]:
    """Rights by table, in lower case: `select`, `insert`, `update (caller, destination)`, …

    Tables that the role may do nothing with have an empty tuple; partitions have the rights of
    their table. A role that does not exist is an error of the database.
    """
    found: dict[str, tuple[str, ...]] = {}
    asked = {"role": role, "schemas": list(SCHEMAS)}
    for table, privilege, whole, columns in session.execute(_RIGHTS, asked).fetchall():
        known = found.setdefault(table, ())
        if whole:
            found[table] = (*known, privilege.lower())
        elif columns:
            found[table] = (*known, f"{privilege.lower()} ({', '.join(columns)})")
    return found


def objections(session: psycopg.Connection, role: str, *, only_schema: str = "") -> Iterator[str]:
    """What the role could do to the history and must not; with `only_schema` it may read there and
    do nothing else.
    """
    known = rights(session, role)
    for table, found in known.items() if only_schema else ():
        allowed = {"select"} if table.startswith(f"{only_schema}.") else set()
        yield from (f"{role} may {right} {table}" for right in found if right not in allowed)
    for table in ADDED_TO:
        for right in known.get(table, ()):
            # Of a call only what names people can be taken out, and by columns alone.
            redacts = table == "books.cdrs" and right == "update (caller, destination)"
            if right.partition(" ")[0] not in ("select", "insert") and not redacts:
                yield f"{role} may {right} {table}, which is only ever added to"
    [superuser] = session.execute(
        "select rolsuper from pg_roles where rolname = %s", (role,)
    ).fetchone() or (False,)
    if superuser:
        yield f"{role} is a superuser"
