"""`callplane rate batch`: files of calls rated at once, on this machine or on many.

Files are read, split by account, and rated part by part; with `--dask` the same three functions run
on the workers of a cluster, which read the files and write the results themselves. Nothing is
written to the books.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from callplane.billing.batch import legs, summing
from callplane.billing.batch.estates import Estate
from callplane.billing.batch.legs import Mediated
from callplane.billing.mediation import RowError
from callplane.cli import output
from callplane.errors import CallplaneError
from callplane.values.money import amount_text

ERRORS_MAX = 100
_AMOUNTS = ("charge_micros", "service_micros", "other_micros")


@dataclass(frozen=True, slots=True)
class Job:
    """What every part is rated by. `against` is the same estate by another card."""

    estate: Estate
    against: Estate | None
    now: datetime
    out: str = ""


@dataclass(frozen=True, slots=True)
class FileRead:
    """One file: its calls in parts, and what of it is not among them."""

    path: str
    parts: tuple[pl.DataFrame, ...]
    calls: int
    suspended: Counter[str]
    errors: tuple[RowError, ...]
    error_count: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch came to: `sums` as `summing.added` gives them."""

    sums: pl.DataFrame
    calls: int
    suspended: Counter[str]


def read(path: str, job: Job, parts: int) -> FileRead:
    """Read one file of call records, CSV or Parquet, and split it by account."""
    try:
        if path.endswith(".parquet"):
            records = pl.read_parquet(path).cast(pl.String)
        else:
            records = pl.read_csv(path, infer_schema=False)
    except (OSError, PolarsError) as error:
        text = str(error).partition("\n")[0]
        return FileRead(path, (), 0, Counter(), (RowError(1, "-", f"cannot be read: {text}"),), 1)
    heads = legs.header_errors(records.columns)
    if heads:
        return FileRead(path, (), 0, Counter(), tuple(heads), len(heads))
    found: Mediated = legs.mediate(records, job.estate, now=job.now, errors_max=ERRORS_MAX)
    split = tuple(legs.parts(found.calls, job.estate, parts))
    return FileRead(path, split, len(found.calls), found.suspended, found.errors, found.error_count)


def rate(pieces: Sequence[pl.DataFrame], job: Job, nth: int) -> pl.DataFrame:
    """Rate one part, all files' pieces of it; writes its calls if wanted, and gives its sums."""
    rated = summing.rated(pl.concat(pieces), job.estate, job.against)
    if job.out:
        write(summing.named(rated, job.estate), Path(job.out), nth)
    return summing.summed(rated, job.estate)


def write(rated: pl.DataFrame, folder: Path, nth: int) -> None:
    """One file of rated calls, Parquet, with amounts in whole micro-units."""
    rated.write_parquet(folder / f"part-{nth:05}.parquet")


def refuse_errors(files: Sequence[FileRead]) -> None:
    """Raises CallplaneError when any file has a row that cannot be read: nothing is rated then."""
    count = sum(file.error_count for file in files)
    if not count:
        return
    listed = [f"{file.path}: {error}" for file in files for error in file.errors][:ERRORS_MAX]
    more = count - len(listed)
    rest = [f"and {output.count(more, 'more reason/more reasons')}"] if more else []
    raise CallplaneError("\n".join(["nothing was rated", *listed, *rest]))


def on_this_machine(paths: Sequence[str], job: Job) -> Batch:
    """Rate files here, in one part: the kernel shares the work among the cores."""
    files = [read(path, job, 1) for path in paths]
    refuse_errors(files)
    sums = rate([file.parts[0] for file in files], job, 0)
    return _batch(files, [sums])


def _batch(files: Sequence[FileRead], sums: Sequence[pl.DataFrame]) -> Batch:
    suspended: Counter[str] = Counter()
    for file in files:
        suspended += file.suspended
    return Batch(summing.added(list(sums)), sum(file.calls for file in files), suspended)


def on_dask(address: str, paths: Sequence[str], job: Job, *, parts: int) -> Batch:
    """Rate files on a Dask cluster. Its workers need this package, the files, and the folder for
    results at the same place.
    """
    from distributed import Client

    with Client(address, timeout=10) as client:  # type: ignore[no-untyped-call]
        shared = client.scatter(job, broadcast=True)
        reads = client.map(read, list(paths), job=shared, parts=parts, pure=False)
        heads = client.gather(client.map(_without_parts, reads, pure=False))
        refuse_errors(heads)
        sums = [
            client.submit(
                rate,
                [client.submit(_piece, each, nth, pure=False) for each in reads],
                shared,
                nth,
                pure=False,
            )
            for nth in range(parts)
        ]
        return _batch(heads, client.gather(sums))


def _without_parts(file: FileRead) -> FileRead:
    return FileRead(file.path, (), file.calls, file.suspended, file.errors, file.error_count)


def _piece(file: FileRead, nth: int) -> pl.DataFrame:
    return file.parts[nth]


def text(batch: Batch, *, against: str = "") -> Iterator[str]:
    """A line an account and month, and what waits."""
    by_month = _by_month(batch)
    yield f"{batch.calls:,} calls"
    heads = ["ACCOUNT", "MONTH", "CALLS", "POOL MINUTES", "CHARGE"]
    if against:
        heads += [f"BY {against}", "DIFFERENCE"]
    rows = [tuple(heads)]
    for row in by_month.iter_rows(named=True):
        cells = [
            row["account"],
            row["month"],
            f"{row['calls']:,}",
            f"{row['pool_seconds'] / 60:,.1f}",
            amount_text(row["micros"]),
        ]
        if against:
            difference = row["other_micros"] - row["micros"]
            cells += [amount_text(row["other_micros"]), amount_text(difference)]
        rows.append(tuple(cells))
    yield from output.table(rows)
    waiting = batch.suspended + Counter(
        dict(
            batch.sums.filter(pl.col("outcome").cast(pl.String).is_in(["NoRate", "NoPlan"]))
            .select(pl.col("outcome").cast(pl.String), "calls")
            .group_by("outcome")
            .sum()
            .iter_rows()
        )
    )
    for reason, count in sorted(waiting.items()):
        yield f"not rated, {reason}: {count:,}"
    if against:
        unpriced = int(by_month["other_unpriced"].sum())
        yield f"without a price by {against}: {unpriced:,}"


def _by_month(batch: Batch) -> pl.DataFrame:
    keys = ("account", "month")
    return batch.sums.drop("outcome").group_by(keys).sum().sort(keys)


def as_json(batch: Batch) -> dict[str, Any]:
    rows = batch.sums.with_columns(pl.col("outcome").cast(pl.String)).to_dicts()
    return {"calls": batch.calls, "suspended": dict(batch.suspended), "sums": rows}


def to_json(batch: Batch) -> str:
    return json.dumps(as_json(batch), indent=2)
