"""A whole database looked at: schema, rights, numbers, books, and an earlier record of them.

Called by `callplane database verify` and `rehearse`: after a restore somebody has to say whether
what came back is whole, and what of it is not there any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import psycopg

from callplane.errors import mask_number, scrub
from callplane.store import books_audit, database_rights, schema
from callplane.store.addresses import current
from callplane.store.books_audit import BooksAudit, Comparison, MonthRecord, Standing
from callplane.store.ports import Checkpoint, StoreUnavailable

#: What the file of a record begins with; another number when its fields mean something else.
FORMAT = 1
#: The schema of the views that are all the admin API may read.
VIEWS = "admin_api"

# The last event of a number says where its row must be; free numbers have none.
_NUMBERS_ASTRAY = """
with last as (
    select distinct on (number) number, to_state from register.number_events
    order by number, sequence desc
)
select coalesce(n.number, last.number), coalesce(n.state, 'Free'), coalesce(last.to_state, 'Free')
from register.numbers as n full join last using (number)
where coalesce(n.state, 'Free') <> coalesce(last.to_state, 'Free') order by 1 limit %s
"""
_COUNTS = "select state, count(*) from register.numbers group by state order by state"


@dataclass(frozen=True, slots=True)
class Record:
    """What a database held at one moment, small enough to keep with every backup.

    It has no numbers of people and no names but those of accounts.
    """

    taken_at: datetime
    schema: str
    head: Checkpoint
    months: tuple[MonthRecord, ...]
    statements: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Examination:
    """`findings` say what is not whole, `notes` what could not be looked at; `missing` what an
    earlier record had and is not there, `comparisons` how its months stand. `numbers` are counted
    by state.
    """

    version: str
    books: BooksAudit
    findings: tuple[str, ...]
    comparisons: tuple[Comparison, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    numbers: Mapping[str, int] = field(default_factory=dict)


def examine(
    dsn: str,
    *,
    record: Record | None = None,
    service_role: str = schema.SERVICE_ROLE,
    call_role: str = schema.CALL_ROLE,
    reader_role: str = schema.READER_ROLE,
) -> Examination:
    """Look at everything but the chain of the history, in one view of the database.

    Needs the rights to read all of it. Raises SchemaMismatch and StoreUnavailable.
    """
    with _view(dsn) as session:
        found = _books(session, record)
        findings, notes = [*_numbers_astray(session), *found.findings], []
        for role, schema_read in ((service_role, ""), (call_role, ""), (reader_role, VIEWS)):
            if database_rights.exists(session, role):
                findings += database_rights.objections(session, role, only_schema=schema_read)
            else:
                notes.append(f"there is no role {role} here, so its rights were not looked at")
        counts: dict[str, int] = dict(session.execute(_COUNTS).fetchall())
        return replace(found, numbers=counts, findings=tuple(findings), notes=tuple(notes))


def examine_books(dsn: str, *, record: Record | None = None) -> Examination:
    """Look at the books alone. Raises as `examine` does."""
    with _view(dsn) as session:
        return _books(session, record)


@contextmanager
def _view(dsn: str) -> Iterator[psycopg.Connection]:
    try:
        options = "-c timezone=UTC -c statement_timeout=0"
        with psycopg.connect(current(dsn), options=options) as session:
            session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            session.read_only = True
            yield session
    except psycopg.OperationalError as error:
        raise StoreUnavailable(f"PostgreSQL: {scrub(str(error))}") from error


def _books(session: psycopg.Connection, record: Record | None) -> Examination:
    version = _version(session)
    books = books_audit.audit(session)
    if record is None:
        return Examination(version, books, books.findings)
    comparisons = books_audit.compare(session, record.months, books)
    findings = [one.text for one in comparisons if one.standing is Standing.CHANGED]
    missing = [one.text for one in comparisons if one.standing is Standing.MISSING]
    for number, digest in sorted(record.statements.items()):
        if number not in books.statements:
            missing.append(f"statement {number} is not there")
        elif books.statements[number] != digest:
            findings.append(f"statement {number} is another one than that of the record")
    return Examination(
        version,
        books,
        findings=(*books.findings, *findings),
        comparisons=comparisons,
        missing=tuple(missing),
    )


def _numbers_astray(session: psycopg.Connection) -> Iterator[str]:
    found = session.execute(_NUMBERS_ASTRAY, (books_audit.FINDINGS_MAX,)).fetchall()
    for number, state, said in found:
        yield f"{mask_number(number)} is {state}, and its history ends with {said}"


def _version(session: psycopg.Connection) -> str:
    try:
        row = session.execute(schema.VERSION_QUERY).fetchone()
    except psycopg.errors.UndefinedTable:
        row = None
    schema.check(None if row is None else row[0])
    return schema.HEAD


def recorded(found: Examination, head: Checkpoint, *, now: datetime) -> Record:
    """What to keep of an examination."""
    return Record(now, found.version, head, found.books.months, found.books.statements)


def to_json(record: Record) -> dict[str, Any]:
    """The file of a record."""
    return {
        "format": FORMAT,
        "takenAt": record.taken_at.astimezone(UTC).isoformat(),
        "schema": record.schema,
        "numbersHead": {"position": record.head.position, "link": record.head.link},
        "statements": {str(number): digest for number, digest in record.statements.items()},
        "months": [
            {
                "account": month.account,
                "start": month.start.astimezone(UTC).isoformat(),
                "currency": month.currency,
                "calls": month.calls,
                "usedSeconds": month.used_seconds,
                "graceSeconds": month.grace_seconds,
                "postedMicros": month.posted_micros,
                "postings": month.postings,
                "lastId": month.last_id,
                "digest": month.digest,
            }
            for month in record.months
        ],
    }


def from_json(document: Mapping[str, Any]) -> Record:
    """A record as it was kept. Raises ValueError, KeyError or TypeError for what is none."""
    if document["format"] != FORMAT:
        raise ValueError(f"its format is {document['format']}, and this program reads {FORMAT}")
    head = document["numbersHead"]
    return Record(
        taken_at=datetime.fromisoformat(document["takenAt"]),
        schema=document["schema"],
        head=Checkpoint(int(head["position"]), head["link"]),
        months=tuple(_months(document["months"])),
        statements={int(number): digest for number, digest in document["statements"].items()},
    )


def _months(rows: list[Mapping[str, Any]]) -> Iterator[MonthRecord]:
    for row in rows:
        yield MonthRecord(
            account=row["account"],
            start=datetime.fromisoformat(row["start"]),
            currency=row["currency"],
            calls=row["calls"],
            used_seconds=row["usedSeconds"],
            grace_seconds=row["graceSeconds"],
            posted_micros=row["postedMicros"],
            postings=row["postings"],
            last_id=row["lastId"],
            digest=row["digest"],
        )
