"""The real call control process beside a real SBC and a real PostgreSQL, in the least role that
does.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from callplane.callcontrol.running import SbcPlace
from callplane.clock import SystemClock
from callplane.sandbox import ports, postgres
from callplane.store import schema
from callplane.store.books_ports import Payer, PlanHolder
from callplane.store.call_tables import Entry, Holders
from callplane.store.call_tables_postgres import PostgresCallTables
from callplane.testing import call_builders as build
from callplane.testing import polling

ROLE, PASSWORD = "calls_of_process_test", "for-this-test"


def as_call_control(dsn: str) -> str:
    """The DSN of call control's role in that database, which is brought up to date first."""
    if not postgres.query(dsn, f"select 1 from pg_roles where rolname = '{ROLE}'").strip():
        postgres.query(dsn, f"create role {ROLE} login password '{PASSWORD}'")
    schema.upgrade(dsn, call_role=ROLE)
    scheme, _, rest = dsn.partition("://")
    return f"{scheme}://{ROLE}:{PASSWORD}@{rest.rpartition('@')[2]}"


async def write(
    dsn: str, entries: Sequence[Entry], *, zone: str, pool_seconds: int | None = None
) -> None:
    """Write rows as the operator does, and what the account's pool brings. Accounts among them have
    their months in `zone`.
    """
    now = SystemClock().now()
    payer = Payer.at(build.ACCOUNT, "GBP", zone, now)
    held = [] if pool_seconds is None else [PlanHolder("anna", build.PLAN, pool_seconds)]
    holders = [Holders(payer, tuple(held))] if held else []
    tables = PostgresCallTables(dsn)
    await tables.open()
    try:
        local = [_in_zone(entry, zone) for entry in entries]
        await tables.write("cluster", local, holders, now=now)
    finally:
        await tables.close()


def _in_zone(entry: Entry, zone: str) -> Entry:
    if entry.kind != "CallingAccount" or entry.content is None:
        return entry
    spec = {"timeZone": zone, **entry.content["spec"]}
    return replace(entry, content={**entry.content, "spec": spec})


@dataclass
class CallControl:
    """`callplane callcontrol`, which a test may kill, stop, continue and start again."""

    dsn: str
    place: SbcPlace
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    probe_port: int = 0

    def start(self, **settings: str) -> None:
        """Start it and wait until it could decide."""
        (self.probe_port,) = ports.free(1)
        fields = {
            "database_url": self.dsn,
            "sbcs": f"{self.place.host}:{self.place.port}",
            "spools": str(self.place.spool),
            "probe_port": str(self.probe_port),
            "reap_seconds": "1",
            **settings,
        }
        environment = {f"CALLPLANE_{name.upper()}": value for name, value in fields.items()}
        with (self.folder / "callcontrol.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "callplane.cli.app", "callcontrol"],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            polling.until(lambda: self.says("/readyz") == "ok", "call control is ready", seconds=60)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()[-3000:]}") from None

    def says(self, path: str) -> str:
        """What a probe answers; empty when nobody does."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.probe_port}{path}", timeout=20
            ) as answer:
                return str(answer.read().decode().strip())
        except OSError:
            return ""

    def metric(self, name: str) -> float:
        """The value of one line of /metrics."""
        for line in self.says("/metrics").splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def log(self) -> str:
        return (self.folder / "callcontrol.log").read_text(errors="replace")

    def messages(self) -> list[str]:
        """The messages of its log, which is JSON lines; the last one may be half written."""
        whole = (line for line in self.log().splitlines(keepends=True) if line.endswith("\n"))
        return [json.loads(line)["message"] for line in whole if line[:1] == "{"]

    def pause(self) -> None:
        """SIGSTOP: its connections stay, and nobody answers."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        self._signal(signal.SIGKILL)
        self._end()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self._signal(signal.SIGTERM)
        return self._end()

    def close(self) -> None:
        if self.process is not None:
            self.kill()

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    def _end(self) -> int:
        assert self.process is not None
        process, self.process = self.process, None
        return process.wait(timeout=30)


def through(port: int, dsn: str) -> str:
    """The same database behind a wire that listens on that port."""
    parts = urllib.parse.urlsplit(dsn)
    account = parts.netloc.rpartition("@")[0]
    return parts._replace(netloc=f"{account}@127.0.0.1:{port}").geturl()
