"""Batches on a Dask cluster come to what they come to on one machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import polars as pl
import pytest

from callplane.billing.batch.estates import estate
from callplane.billing.tariff import RateCard
from callplane.billing.terms import Line
from callplane.cli import batch_rating
from callplane.cli.batch_rating import Job
from callplane.clock import SystemClock
from callplane.errors import CallplaneError
from callplane.testing.batch_builders import calls_by_chance, card_by_chance, lines_by_chance

CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A scheduler with two worker processes on loopback."""
    script = tmp_path_factory.mktemp("dask") / "cluster.py"
    script.write_text(CLUSTER, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=script.parent,
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        assert process.stdin is not None
        process.stdin.close()


def files(folder: Path, lines: list[Line], chance: Random) -> list[str]:
    """Call records of three files; the last one repeats some of the first."""
    calls = calls_by_chance(chance, 3_000, len(lines)).filter(pl.col("destination") != "")
    records = calls.select(
        "attempt_id",
        "leg",
        pl.Series("caller", [lines[nth].name for nth in calls["line"]]),
        pl.col("destination").alias("dialled"),
        pl.lit(lines[0].ingress).alias("ingress"),
        *(
            (pl.col("setup") + pl.duration(seconds=seconds)).dt.to_string("%+").alias(name)
            for name, seconds in (
                ("setup", pl.lit(0)),
                ("answered", pl.lit(0)),
                ("released", pl.col("duration_seconds")),
            )
        ),
    )
    found = []
    for nth, rows in enumerate((records[:1_500], records[1_500:], records[:200])):
        name = str(folder / (f"{nth}.csv" if nth else "0.parquet"))
        if nth:
            rows.write_csv(name)
        else:
            rows.write_parquet(name)
        found.append(name)
    return found


def made(folder: Path) -> tuple[list[str], Job]:
    chance = Random(5)
    cards: list[RateCard | None] = [card_by_chance(chance, 300), card_by_chance(chance, 40)]
    lines = lines_by_chance(chance, 7, cards)
    named = [_numbered(line, f"+44207946{nth:04}") for nth, line in enumerate(lines)]
    job = Job(estate(named), estate(named, card=cards[0]), SystemClock().now(), str(folder))
    return files(folder, named, chance), job


def _numbered(line: Line, number: str) -> Line:
    return Line(number, line.account, line.ingress, line.caller_ids, line.plan)


def test_many_machines_say_what_one_says(scheduler: str, tmp_path: Path) -> None:
    paths, job = made(tmp_path)
    here = batch_rating.on_this_machine(paths, job)
    written = pl.read_parquet(tmp_path / "part-00000.parquet").sort("attempt_id")
    (tmp_path / "part-00000.parquet").unlink()
    there = batch_rating.on_dask(scheduler, paths, job, parts=5)
    assert there.sums.equals(here.sums)
    assert (there.calls, there.suspended) == (here.calls, here.suspended)
    parts = sorted(tmp_path.glob("part-*.parquet"))
    assert len(parts) == 5
    assert pl.concat([pl.read_parquet(each) for each in parts]).sort("attempt_id").equals(written)
    # Whoever is there twice, in whichever file, is charged once.
    assert here.sums["calls"].sum() == len(written) == here.calls - 200


def test_a_row_that_cannot_be_read_anywhere_refuses_the_batch(
    scheduler: str, tmp_path: Path
) -> None:
    paths, job = made(tmp_path)
    bad = tmp_path / "bad.csv"
    bad.write_text(Path(paths[1]).read_text(encoding="utf-8") + "x\n", encoding="utf-8")
    with pytest.raises(CallplaneError, match=r"bad\.csv"):
        batch_rating.on_dask(scheduler, [*paths, str(bad)], job, parts=2)
    assert list(tmp_path.glob("part-*")) == []
