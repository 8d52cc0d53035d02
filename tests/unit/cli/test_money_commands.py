"""`callplane rate`, `pools`, `ledger` and `statement` over the samples and books in memory."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from callplane.billing.quotes import Mode
from callplane.cli import app, connecting, statement_rendering
from callplane.clock import SystemClock
from callplane.store.books_memory import MemoryBooks
from callplane.store.books_ports import Payer, PlanHolder, Suspended
from callplane.store.call_tables import LINE, Entry
from callplane.store.call_tables_memory import MemoryCallTables
from callplane.store.evidence_memory import MemoryEvidence
from callplane.store.memory import MemoryRegister
from callplane.testing.books_builders import leg, unreserved

SAMPLES = Path(__file__).parents[3] / "manifests" / "samples"
URL = "--database-url=postgresql://localhost/memory"
ACCOUNT = "default/example"
CALLER, INGRESS = "+442079460001", "trunks/teams"
Run = Callable[..., str]


@pytest.fixture
def tables() -> MemoryCallTables:
    return MemoryCallTables()


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch, tables: MemoryCallTables) -> MemoryBooks:
    made = MemoryBooks()

    @asynccontextmanager
    async def opened(_: str) -> AsyncIterator[MemoryBooks]:
        yield made

    seen = MemoryEvidence(made)

    @asynccontextmanager
    async def opened_evidence(_: str) -> AsyncIterator[MemoryEvidence]:
        yield seen

    monkeypatch.setattr(connecting, "books", opened)

    @asynccontextmanager
    async def opened_register(_: str) -> AsyncIterator[MemoryRegister]:
        yield MemoryRegister()

    @asynccontextmanager
    async def opened_tables(_: str) -> AsyncIterator[MemoryCallTables]:
        yield tables

    monkeypatch.setattr(connecting, "call_tables", opened_tables)
    monkeypatch.setattr(connecting, "evidence", opened_evidence)
    monkeypatch.setattr(connecting, "register", opened_register)
    return made


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def ran(*arguments: str, code: int = 0) -> str:
        ended = app.run(list(arguments))
        printed = capsys.readouterr()
        assert ended == code, printed
        return printed.out if code == 0 else printed.out + printed.err

    return ran


RATE = (
    "rate: prefix 44 (United Kingdom) of card default/standard, in force since 2026-01-01, "
    "band evening, counted 1/1"
)


def explain(run: Run, *arguments: str, code: int = 0) -> list[str]:
    return run(
        "rate", "explain", *arguments, str(SAMPLES), "--account=example", code=code
    ).splitlines()


def test_a_price_is_explained(run: Run) -> None:
    lines = explain(
        run, "020 7946 0123", "0:01:30", "--plan=domestic-300", "--free-minutes=1",
        "--at=2026-11-02T20:00:00Z",
    )  # fmt: skip
    assert lines == [
        "destination +442079460123, Geographic",
        "mode Plan, 90 s",
        "pool: 60 s, counted 1/1 of plan default/domestic-300",
        RATE,
        "counted 90 s, 60 s of them from the pool",
        "Call: 30 s at 0.008 a minute = 0.004 GBP",
        "charge: 0.004 GBP",
        "made with samples: these prices and sets are nobody's",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("+353123", "60", "--plan=domestic-300"), "cannot be rated: NoRate"),
        (("020", "60"), "cannot be rated: NoPlan"),
        (("020", "1h"), "is no length of time"),
        (("020", "60", "--at=yesterday"), "is no time with a zone"),
        (("020", "60", "--plan=nothing"), "there is no CallingPlan nothing"),
    ],
)
def test_what_cannot_be_explained_says_why(
    run: Run, arguments: tuple[str, ...], message: str
) -> None:
    assert message in "\n".join(explain(run, *arguments, code=1))


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "lines.csv"
    path.write_text(
        f"caller,ingress,account,plan\n{CALLER},{INGRESS},{ACCOUNT},default/domestic-300\n"
    )
    return path


def calls(tmp_path: Path, *rows: str) -> str:
    head = "attempt_id,caller,dialled,ingress,setup,answered,released"
    path = tmp_path / "calls.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    return str(path)


def row(attempt_id: str, dialled: str, seconds: int) -> str:
    begun = SystemClock().now() - timedelta(hours=1)
    ended = begun + timedelta(seconds=seconds)
    times = f"{begun.isoformat()},{begun.isoformat()},{ended.isoformat()}"
    return f"{attempt_id},{CALLER},{dialled},{INGRESS},{times}"


def test_calls_of_a_file_reach_pool_ledger_and_statement(
    run: Run, books: MemoryBooks, lines: Path, tmp_path: Path
) -> None:
    now = SystemClock().now()
    payer = Payer.at(ACCOUNT, "GBP", "Europe/London", now - timedelta(hours=1))
    month = payer.period.label
    asyncio.run(books.set_plans(payer, [PlanHolder("anna", "default/domestic-300", 600)], now=now))
    file = calls(
        tmp_path,
        row("one", "02079460123", 300),
        row("two", "0012125550123", 31),
        row("three", "999", 60),
        row("four", "+353123", 60),
    )
    intake = ("ledger", "intake", file, f"--manifests={SAMPLES}", f"--lines={lines}", URL)
    assert run(*intake).splitlines() == [
        "4 calls: 3 accounted for, 0 known before, 1 in suspense",
        "  NoRate: 1",
    ]
    assert "0 accounted for, 3 known before, 1 in suspense" in run(*intake)
    (pool,) = json.loads(run("pools", ACCOUNT, URL, "--json"))
    assert (pool["month"], pool["usedSeconds"], pool["freeSeconds"]) == (month, 300, 300)
    # 36 s at 0.02 a minute and 0.01 once.
    assert pool["spent"] == "0.022"
    assert "10.0" in run("pools", URL)
    found = json.loads(run("ledger", "postings", ACCOUNT, month, URL, "--json"))
    assert [(one["purpose"], one["amount"]) for one in found] == [
        ("Entitlement", "600 s"),
        ("Pool", "300 s"),
        ("Call", "0.022 GBP"),
    ]
    assert "receivable:default/example" in run("ledger", "postings", ACCOUNT, month, URL)
    assert "NoRate" in run("ledger", "suspense", URL)
    made = json.loads(run("statement", ACCOUNT, month, f"--manifests={SAMPLES}", URL, "--json"))
    assert [(one["description"], one["amount"]) for one in made["lines"]] == [
        ("Platform", "100.00"),
        ("Calling plan default/domestic-300", "3.00"),
        ("Calls to North America", "0.022"),
    ]
    assert (made["net"], made["taxes"][0]["amount"]) == ("103.022", "20.6044")
    assert (made["total"], made["rounding"], made["samplePrices"]) == ("123.63", "0.0036", True)
    # Five minutes at 0.008 are less than the plan costs.
    assert (made["planFees"], made["plansPaidOff"]) == ("3.00", False)
    assert made["state"] in ("Open", "Closing")
    text = run("statement", ACCOUNT, month, f"--manifests={SAMPLES}", URL)
    assert "minutes: 5.0 of 10.0 used" in text
    assert "made with sample prices" in text
    assert "plans were DEARER" in text
    too_early = ("statement", ACCOUNT, month, f"--manifests={SAMPLES}", URL, "--close")
    assert "72 hours after its end at the earliest" in run(*too_early, code=1)
    replayed = run("ledger", "replay", f"--manifests={SAMPLES}", f"--lines={lines}", URL)
    assert "1 in suspense" in replayed


def test_a_file_with_a_bad_row_changes_nothing(
    run: Run, books: MemoryBooks, lines: Path, tmp_path: Path
) -> None:
    file = calls(tmp_path, row("one", "02079460123", 300), "two,,,,,,")
    intake = ("ledger", "intake", file, f"--manifests={SAMPLES}", f"--lines={lines}", URL)
    printed = run(*intake, code=1)
    assert "nothing was taken" in printed
    assert "row 3, attempt_id" not in printed
    assert "row 3, dialled: is empty" in printed
    assert asyncio.run(books.months()) == ()


def test_a_file_of_many_bad_rows_shows_the_first_hundred_reasons(
    run: Run, books: MemoryBooks, lines: Path, tmp_path: Path
) -> None:
    file = calls(tmp_path, *["one,short"] * 150)
    intake = ("ledger", "intake", file, f"--manifests={SAMPLES}", f"--lines={lines}", URL)
    printed = run(*intake, code=1)
    assert printed.count("another number of columns") == 100
    assert "and 50 more reasons" in printed


def test_lines_say_whose_carrier_the_customer_pays(
    run: Run, books: MemoryBooks, tmp_path: Path
) -> None:
    path = tmp_path / "lines.csv"
    path.write_text(f"caller,ingress,account,plan,byoc\n{CALLER},{INGRESS},{ACCOUNT},,true\n")
    hour = f"{SystemClock().now() - timedelta(hours=1):%Y-%m-%dT%H}"
    times = (f"{hour}:00:00Z", f"{hour}:00:00Z", f"{hour}:05:00Z")
    file = calls(tmp_path, ",".join(("one", CALLER, "02079460123", INGRESS, *times)))
    run("ledger", "intake", file, f"--manifests={SAMPLES}", f"--lines={path}", URL)
    (month,) = asyncio.run(books.months())
    (call,) = asyncio.run(books.calls(month.account, month.period_start))
    assert (call.mode, call.charge_micros) == (Mode.BYOC, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("caller,ingress\n+442079460001,x\n", "the columns must be caller, ingress, account, plan"),
        (f"caller,ingress,account,plan\n{CALLER},x,nobody,\n", "row 2: there is no CallingAccount"),
        ("caller,ingress,account,plan\n,x,example,\n", "row 2: a value is missing"),
        (
            f"caller,ingress,account,plan,byoc\n{CALLER},x,{ACCOUNT},,perhaps\n",
            "row 2: byoc: must be true or false",
        ),
    ],
)
def test_lines_that_are_wrong_are_named(
    run: Run, books: MemoryBooks, tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "lines.csv"
    path.write_text(text)
    file = calls(tmp_path)
    intake = ("ledger", "intake", file, f"--manifests={SAMPLES}", f"--lines={path}", URL)
    assert message in run(*intake, code=1)


def test_a_month_that_is_not_there_is_named(run: Run, books: MemoryBooks) -> None:
    printed = run("ledger", "postings", ACCOUNT, "2020-01", URL, code=1)
    assert "has no month 2020-01 in the books; there are: none" in printed


def test_a_line_of_a_spool_that_cannot_be_read_is_listed_and_outlasts_a_replay(
    run: Run, books: MemoryBooks, lines: Path
) -> None:
    kept = Suspended("sbc", "unreadable-1", "1", "Unreadable", {"line": "x", "problem": "y"})
    asyncio.run(books.suspend([kept], now=SystemClock().now()))
    assert "unreadable-1" in run("ledger", "suspense", URL)
    run("ledger", "replay", f"--manifests={SAMPLES}", f"--lines={lines}", URL)
    assert "unreadable-1" in run("ledger", "suspense", URL)


SEPTEMBER = datetime(2026, 9, 15, 12, tzinfo=UTC)
STATEMENT = ("statement", ACCOUNT, "2026-09", f"--manifests={SAMPLES}", URL)


def test_a_closed_month_is_printed_as_it_was_closed(
    run: Run, books: MemoryBooks, tmp_path: Path
) -> None:
    payer = Payer.at(ACCOUNT, "GBP", "Europe/London", SEPTEMBER)
    asyncio.run(books.counters(payer))
    assert "closing" in run(*STATEMENT).splitlines()[0]
    closed = json.loads(run(*STATEMENT, "--close", "--json"))
    assert (closed["number"], closed["state"], closed["total"]) == (1, "Closed", "120.00")
    assert len(closed["digest"]) == 64
    # Whatever is declared by now, and however often it is asked for.
    assert json.loads(run(*STATEMENT, "--close", "--json")) == closed
    (tmp_path / "account.yaml").write_text(
        (SAMPLES / "callingaccount.yaml").read_text().replace("100", "200")
    )
    again = (*STATEMENT[:3], f"--manifests={SAMPLES}", URL, "--json")
    assert json.loads(run(*again)) == closed
    text = run(*STATEMENT)
    assert text.startswith("statement 1, default/example, 2026-09, closed")
    assert closed["digest"] in text
    purposes = [
        (one.posting.purpose.value, one.posting.amount)
        for one in asyncio.run(books.postings(ACCOUNT, payer.period.start))
    ]
    assert purposes == [("Fee", 100_000_000), ("Tax", 20_000_000)]


def test_users_whom_only_calls_show_are_billed_whoever_closes_the_month(
    run: Run, books: MemoryBooks, tables: MemoryCallTables
) -> None:
    """The operator did not look between their calls and the end of the month."""
    setup = datetime(2026, 9, 30, 22, 30, tzinfo=UTC)
    payer = Payer.at(ACCOUNT, "GBP", "Europe/London", setup)
    plan = PlanHolder("teams/t/anna", "default/domestic-300", 18_000)
    asyncio.run(books.set_plans(payer, [plan], now=setup))
    entries = []
    for holder, number in (("sip/d/desk", CALLER), ("teams/t/anna", "+442079460002")):
        content = {"account": ACCOUNT, "holder": holder, "numbers": [number]}
        entries.append(Entry(LINE, holder, "SipPhone/default/desk", content))
        seen = replace(leg(holder, 60), caller=number, setup=setup)
        call = replace(unreserved(holder, 60, of=seen), line=holder)
        asyncio.run(books.settle([replace(call, payer=payer)], now=setup))
    asyncio.run(tables.write("here", entries, [], now=setup))

    def users(made: str) -> list[tuple[str, int]]:
        found = {one["description"]: one["quantity"] for one in json.loads(made)["lines"]}
        return sorted(one for one in found.items() if one[0].startswith("Users on"))

    expected = [("Users on Sip", 1), ("Users on Teams", 1)]
    assert users(run(*STATEMENT, "--json")) == expected
    assert users(run(*STATEMENT, "--close", "--json")) == expected


def test_a_statement_is_printed_for_machines_and_for_paper(run: Run, books: MemoryBooks) -> None:
    asyncio.run(books.counters(Payer.at(ACCOUNT, "GBP", "Europe/London", SEPTEMBER)))
    rows = list(csv.DictReader(run(*STATEMENT, "--format=csv").splitlines()))
    assert [(row["section"], row["amount"]) for row in rows] == [
        ("Fees", "100.00"),
        ("Net", "100.00"),
        ("Tax", "20.00"),
        ("Rounding", "0.00"),
        ("Total", "120.00"),
    ]
    page = run(*STATEMENT, "--format=html")
    assert page.startswith("<!doctype html>")
    assert "120.00" in page
    # It is whole by itself, and text of users is text.
    assert "http" not in page
    assert "<script" not in page
    made = {**json.loads(run(*STATEMENT, "--json"))}
    made["lines"][0]["description"] = "<b>&"
    assert "&lt;b&gt;&amp;" in statement_rendering.as_html(made)
    made["lines"][0]["description"] = "=1+1"
    assert "'=1+1" in statement_rendering.as_csv(made)


def test_a_file_about_what_another_feed_charges_is_evidence(
    run: Run, books: MemoryBooks, lines: Path, tmp_path: Path
) -> None:
    file = calls(tmp_path, row("one", "02079460123", 300))
    intake = ("ledger", "intake", file, f"--manifests={SAMPLES}", f"--lines={lines}", URL)
    assert "1 accounted for" in run(*intake)
    again = run(*intake, "--source=carrier")
    assert "0 accounted for" in again
    assert "kept as evidence, since another feed charges: 1" in again
    (seen,) = json.loads(run("ledger", "evidence", URL, "--json"))
    assert (seen["state"], seen["confirms"]) == ("Confirmed", "csv/one")
    assert CALLER not in run("ledger", "evidence", "--state=Confirmed", URL)
    assert "must be one of Open, Confirmed, MissingCdr" in run(
        "ledger", "evidence", "--state=Lost", URL, code=1
    )
    assert json.loads(run("ledger", "sources", URL, "--json")) == {INGRESS: "csv"}
    assert "carrier" in run("ledger", "sources", f"--appoint={INGRESS}=carrier", URL)
    assert "must be INGRESS=FEED" in run("ledger", "sources", "--appoint=x", URL, code=1)


def test_digits_are_taken_out_of_old_calls(
    run: Run, books: MemoryBooks, lines: Path, tmp_path: Path
) -> None:
    file = calls(tmp_path, row("one", "02079460123", 300))
    run("ledger", "intake", file, f"--manifests={SAMPLES}", f"--lines={lines}", URL)
    assert "redacted 0 calls and 0 sightings, and 0 records in suspense" in run(
        "ledger", "redact", "--days=1", URL
    )
