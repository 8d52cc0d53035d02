"""The world of `admin_api_world` as rows of a real database, written past every program of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator

from callplane.sandbox import postgres
from callplane.store import schema
from callplane.testing.admin_api_world import (
    ACCOUNT_A,
    ACCOUNT_B,
    ACCOUNT_B2,
    DIGEST,
    FOREIGN,
    NUMBERS,
    OF_B,
    TEAM_A,
    TEAM_B,
    held_changes,
    pool_record,
    statement_document,
)

ROLE, PASSWORD = "admin_api_of_test", "for-this-test"
ELSEWHERE = "another-cluster"
AT = "2026-11-02 09:30:00+00"


def as_reader(dsn: str) -> str:
    """The DSN of the API's role in that database, which is brought up to date first."""
    if not postgres.query(dsn, f"select 1 from pg_roles where rolname = '{ROLE}'").strip():
        postgres.query(dsn, f"create role {ROLE} login password '{PASSWORD}'")
    schema.upgrade(dsn, reader_role=ROLE)
    scheme, _, rest = dsn.partition("://")
    return f"{scheme}://{ROLE}:{PASSWORD}@{rest.rpartition('@')[2]}"


def fill(dsn: str, installation: str) -> None:
    """Write all rows, as of a cluster of that id."""
    postgres.query(dsn, "; ".join(_statements(installation)))


def _statements(installation: str) -> Iterator[str]:
    tenant = _object(installation, "TeamsTenant", TEAM_A, "contoso")
    yield (
        "insert into register.connections (provider, external_id, installation, declared_by, "
        f"epoch, heartbeat_at) values ('teams', 'tenant-of-tests', '{installation}', "
        f"'{tenant}', 1, '{AT}')"
    )
    for who in ("ann.archer", "bob.baker"):
        yield (
            "insert into register.holders values ('teams', 'tenant-of-tests', "
            f"'teams/tenant-of-tests/id-of-{who}', null, '{who}@contoso.example', "
            "'{}', '{}', 1)"
        )
    for number in NUMBERS:
        yield from _number(number, ELSEWHERE if number == FOREIGN else installation)
    for held in held_changes():
        proposer = json.dumps(held.proposer)
        yield (
            "insert into register.gate_rows values ('teams', 'tenant-of-tests', "
            f"'{held.change_id}', '{json.dumps(held.change)}', '{held.cause}', '{proposer}', "
            f"'{held.range_name}', 'held', '{AT}', '{DIGEST}', '', null, null, '[]', '[]')"
        )
    for nth, account in enumerate((ACCOUNT_A, ACCOUNT_B, ACCOUNT_B2), start=1):
        yield from _books(nth, account)


def _number(number: str, installation: str) -> Iterator[str]:
    namespace, who = (TEAM_B, "bob.baker") if number in OF_B else (TEAM_A, "ann.archer")
    declared = _object(installation, "TeamsUser", namespace, who.replace(".", "-"))
    holder = f"teams/tenant-of-tests/id-of-{who}"
    yield (
        "insert into register.numbers values "
        f"('{number}', 'teams', 'tenant-of-tests', 'Assigned', '{holder}', '{declared}', "
        f"'{namespace}/main', 'directRouting', null, null, '', '{AT}', 1)"
    )
    yield (
        f"select register.add_event('teams', 'tenant-of-tests', '{installation}', '{AT}', "
        f"'{number}', 'Allocate', 'Free', 'Claimed', '', '{holder}', "
        f"'{who}@contoso.example', '{declared}')"
    )


def _books(number: int, account: str) -> Iterator[str]:
    pool = pool_record(account)
    start = pool.period_start.isoformat()
    yield (
        "insert into books.account_periods (account, period_start, period_end, currency, "
        "entitlement_seconds, used_seconds, held_seconds, posted_micros, held_micros, live_calls) "
        f"values ('{account}', '{start}', '{pool.period_end.isoformat()}', '{pool.currency}', "
        f"{pool.entitlement_seconds}, {pool.used_seconds}, {pool.held_seconds}, "
        f"{pool.posted_micros}, {pool.held_micros}, {pool.live_calls})"
    )
    yield (
        f"insert into books.statements values ('{account}', '{start}', {number}, "
        f"'sha256:{'cd' * 32}', '{json.dumps(statement_document(account))}', '{AT}')"
    )
    yield (
        "insert into books.postings (at, account, period_start, debit, credit, unit, amount, "
        f"purpose, attempt_id) values ('{AT}', '{account}', '{start}', 'receivable:{account}', "
        f"'revenue:calls', 'GBP', 12340000, 'Call', 'attempt-{number}')"
    )


def _object(installation: str, kind: str, namespace: str, name: str) -> str:
    return json.dumps(
        {
            "installation": installation,
            "kind": kind,
            "namespace": namespace,
            "name": name,
            "uid": f"uid-of-{name}",
        }
    )
