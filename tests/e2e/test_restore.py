"""The database is lost. Last night's dump comes back; what is newer is found again: numbers by
looking at the tenant, calls in the SBC's spool.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from callplane.callcontrol.recording import taken
from callplane.cli import app
from callplane.clock import SystemClock
from callplane.sandbox import ports
from callplane.testing import backups, polling
from callplane.testing.control_plane import ThrowAwayCluster
from callplane.testing.estates import Estate, Manifest
from callplane.testing.live_world import CallControlProcess, LiveWorld
from callplane.values import Period

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"
TERMS = ("ratecard", "destinationset", "callingplan", "callingaccount", "callprivilege")
REFS = {"accountRef": {"name": "example"}, "callingPlanRef": {"name": "domestic-300"}}
Run = Callable[..., str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def ran(*arguments: str | Path, code: int = 0) -> str:
        ended = app.run([str(each) for each in arguments])
        printed = capsys.readouterr()
        assert ended == code, printed
        return printed.out

    return ran


@dataclass
class Site:
    """A cluster of its own with one tenant, and the log of its SBC, which is the spool."""

    world: LiveWorld
    cluster: ThrowAwayCluster
    estate: Estate
    spool: Path
    calls: int = 0

    @property
    def mark(self) -> Path:
        return self.spool.with_name(self.spool.name + ".mark")

    def apply(self, *manifests: Manifest) -> None:
        self.world.apply(*manifests, kubectl=self.cluster.kubectl)

    def people(self, *indices: int) -> None:
        self.apply(*(self.estate.user(index, **REFS) for index in indices))

    def ready(self) -> None:
        self.world.ready(self.estate, seconds=90, kubectl=self.cluster.kubectl)

    def tenant(self) -> dict[str, Any]:
        get = ("get", "teamstenant", "main", "-n", self.estate.platform, "-o", "json")
        body: dict[str, Any] = json.loads(self.cluster.kubectl(*get).stdout)
        return body["status"]

    def stalled(self) -> tuple[str, str]:
        """Reason and message, both empty when it is not."""
        for one in self.tenant().get("conditions", []):
            if (one["type"], one["status"]) == ("Stalled", "True"):
                return one["reason"], one["message"]
        return "", ""

    def confirmed(self) -> bool:
        """Do what the message asks for; False when it may ask again, with newer figures."""
        reason, message = self.stalled()
        if reason != "RegisterRestored":
            return True
        self.cluster.kubectl(
            *("annotate", "--overwrite", "teamstenant/main", "-n", self.estate.platform),
            f"callplane.dev/register-confirmed={message.rpartition(': ')[2]}",
        )
        return False

    def call(self, index: int, *, seconds: int = 61) -> None:
        """A call that Kamailio has written down and nobody was asked about."""
        self.calls += 1
        number = self.estate.number_of(index)
        ended = polling.until(
            lambda: _ended(seconds), "the month is older than the call", seconds=seconds + 60
        )
        assert ended is not None
        fields = {
            "start_time": _moment(ended - timedelta(seconds=seconds)),
            "end_time": _moment(ended),
            "duration": f"{seconds}.000",
            "attempt": f"{self.estate.team}-{self.calls}",
            "class": "outbound",
            "account": "",
            "caller": number,
            "dialled": "02079460123",
            "ingress": "Teams",
            "reservation": "",
        }
        written = "; ".join(f"{name}={value}" for name, value in fields.items())
        with self.spool.open("a") as file:
            file.write(f" 3(9) CRITICAL: acc [acc_cdr.c:395]: log_write_cdr(): {written}\n")

    @contextmanager
    def operating(self, database: str) -> Iterator[None]:
        with self.world.operating(cluster=self.cluster, database_url=database):
            yield

    @contextmanager
    def answering(self, database: str) -> Iterator[CallControlProcess]:
        process = self.world.start_call_control(
            database_url=database,
            # Nobody is there: the spool is all that is left of this SBC.
            sbcs=f"127.0.0.1:{ports.free(1)[0]}",
            spools=str(self.spool),
        )
        try:
            yield process
        finally:
            process.stop()


def _ended(seconds: int) -> datetime | None:
    """Half a minute ago; None where the call would have begun last month: the account, which is
    declared in this one, has no minutes of that.
    """
    ended = SystemClock().now() - timedelta(seconds=30)
    months = {
        Period.of(at, "Europe/London")
        for at in (ended - timedelta(seconds=seconds), SystemClock().now())
    }
    return ended if len(months) == 1 else None


def _moment(at: datetime) -> str:
    return f"{at.timestamp():.3f}"


@pytest.fixture
def site(live_world: LiveWorld, tmp_path: Path) -> Iterator[Site]:
    live_world.stop_operators()
    with live_world.empty_cluster() as cluster:
        found = Site(live_world, cluster, live_world.estate(), tmp_path / "sbc.log")
        found.apply(*found.estate.base(driftInterval="3s"))
        for kind in TERMS:
            manifest = yaml.safe_load((SAMPLES / f"{kind}.yaml").read_text(encoding="utf-8"))
            manifest["metadata"]["namespace"] = found.estate.team
            found.apply(manifest)
        yield found


def rows(database: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database) as session:
        return session.execute(query.encode()).fetchall()


def charged(database: str) -> int:
    """How many calls are in the books."""
    return int(rows(database, "select count(*) from books.cdrs")[0][0])


@dataclass(frozen=True, slots=True)
class Backup:
    """What was kept: the night's dump and record, and a record from just before the loss."""

    dump: Path
    night: Path
    noon: Path
    #: The number of somebody who has left after the night.
    given_up: str


def test_the_database_is_lost_and_comes_back_from_last_night(
    site: Site, run: Run, tmp_path: Path
) -> None:
    kept = _lived_and_lost(site, run, tmp_path)
    assigned, before = site.estate.assigned(), site.estate.mark()

    # It comes back whole, and says what it lacks.
    back = backups.restore(site.world.postgres, kept.dump)
    url = f"--database-url={back}"
    assert "verified" in run("database", "verify", url, "--against", kept.night)
    said = run("database", "verify", url, "--against", kept.noon, code=2)
    assert "of numbers are not there" in said
    assert "3 calls, 183 s and 0.00 GBP are not there" in said
    run("numbers", "verify", url)

    with site.operating(back):
        # Noticed: nothing is written until a person has looked.
        polling.until(lambda: site.stalled()[0] == "RegisterRestored", "it is noticed", seconds=60)
        site.people(7)
        polling.stays(
            lambda: site.estate.writes_since(before) == [], "nothing is written", seconds=4
        )
        free = _rebuilt(site, run, url, tmp_path / "free.txt")
        polling.until(site.confirmed, "a person has looked")
        # The seventh is written to, and nobody else; a number that rests is nobody's.
        newest = polling.until(lambda: site.estate.number_of(7), "writes go on", seconds=60)
        site.ready()
        assert newest in free
        assert newest not in (kept.given_up, *assigned)
        now = site.estate.assigned()
        assert now == {**assigned, newest: now[newest]}
        assert site.estate.writes_since(before) == ["assignNumber"]

        # Calls: the spool is read from its beginning, and what the books have is not taken again.
        polling.until(lambda: _lines(back) >= 6, "every line is with call control")
        site.mark.unlink()
        with site.answering(back):
            polling.until(lambda: charged(back) == 5, "the calls are in the books again")
    audited = run("ledger", "audit", url, "--against", kept.noon)
    assert "the same calls, minutes and money, posted anew" in audited
    assert audited.endswith("verified\n")
    # The history of numbers has gone on from the backup, and a new record begins here.
    assert "link" in run("database", "verify", url, "--against", kept.noon, code=1)
    assert "verified" in run("database", "verify", url, "--save", tmp_path / "new.json")


def _lived_and_lost(site: Site, run: Run, folder: Path) -> Backup:
    """A day, its backup, half a day more, and then no database."""
    world, estate = site.world, site.estate
    lost = world.postgres.create_database()
    url = f"--database-url={lost}"
    night, noon = folder / "night.json", folder / "noon.json"
    with site.operating(lost), site.answering(lost):
        site.people(1, 2, 3)
        site.ready()
        site.call(1)
        site.call(2)
        polling.until(lambda: charged(lost) == 2, "both calls are in the books")
        polling.until(lambda: not _unlinked(lost), "the history is chained")
        run("database", "verify", url, "--save", night)
        dump = backups.dump(world.postgres, lost, folder / "night.dump")
        [(known,)] = rows(lost, "select last_value from register.version")

        # What the backup does not have: three people more, one fewer, three calls.
        site.people(4, 5, 6)
        site.ready()
        given_up = str(estate.number_of(2))
        site.cluster.kubectl("delete", "teamsuser", "user-2", "-n", estate.team)
        polling.until(lambda: estate.number_of(2) is None, "the second has no number any more")
        for index in (1, 4, 5):
            site.call(index)
        polling.until(lambda: charged(lost) == 5, "all calls are in the books")
        # The tenant's status follows once a minute; this one is made to look older.
        aged = json.dumps({"status": {"lastObservedTime": "2026-01-01T00:00:00Z"}})
        patch = ("patch", "teamstenant/main", "-n", estate.platform, "--type=merge")
        site.cluster.kubectl(*patch, "--subresource=status", "-p", aged)
        polling.until(
            lambda: site.tenant().get("registerSequence", 0) > known, "the sequence is mirrored"
        )
        polling.until(
            lambda: taken(site.spool, site.mark) == site.spool.stat().st_size, "all is taken"
        )
    run("database", "verify", url, "--save", noon)
    world.postgres.drop_database(lost)
    return Backup(dump, night, noon, given_up)


def _rebuilt(site: Site, run: Run, url: str, free: Path) -> list[str]:
    """What is newer than the backup is found at the tenant, shown, and then written. Returns the
    numbers that people know to be free: others may have been given and given up since.
    """
    numbers = [site.estate.number(offset) for offset in range(50, 100)]
    free.write_text("\n".join(numbers))
    command = ("numbers", "rebuild", f"{site.estate.platform}/main", url)
    command += (f"--kubeconfig={site.cluster.kubeconfig}", f"--known-free={free}")
    shown = " ".join(run(*command).split())
    assert "5 numbers are held by somebody in the tenant" in shown
    assert "3 rows go Free → Assigned" in shown
    assert "1 rows go Assigned → Quarantined" in shown
    run(*command, "--confirm", shown.rpartition("--confirm ")[2])
    return numbers


def _unlinked(database: str) -> bool:
    return bool(rows(database, "select from register.unlinked_events limit 1"))


def _lines(database: str) -> int:
    query = "select count(*) from calls.entries where kind = 'Line' and content is not null"
    return int(rows(database, query)[0][0])
