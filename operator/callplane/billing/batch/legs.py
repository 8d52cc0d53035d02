"""Call records in columns, made into calls of a batch: what `mediation` does with one record.

A record that cannot be read is the file's fault and named by its row. One that can be read and not
be rated is counted by its reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from callplane.billing.batch.estates import Estate
from callplane.billing.batch.kernel import CALLS
from callplane.billing.increments import up_to_step
from callplane.billing.mediation import (
    AHEAD,
    DURATION_SECONDS_MAX,
    OPTIONAL,
    REQUIRED,
    RowError,
    SuspenseReason,
)
from callplane.numbering.destinations import destination_of
from callplane.numbering.dialled_services import GB as SERVICES

#: Columns of the records of a batch, all text. One that says what became of a call elsewhere
#: (whether it was on-net, or by the customer's own carrier) may be there.
COLUMNS = (*REQUIRED, *OPTIONAL)
FLAGS = ("on_net", "byoc")
_TEXT_MAX = {"attempt_id": 128, "caller": 256, "dialled": 256, "ingress": 253}
_INSTANT = pl.Datetime("us", "UTC")
_SECOND = 1_000_000
#: What `destination_of` leaves as it is: + and digits, but for what it looks into.
_AS_IT_IS = r"^\+[0-9]+$"
_LOOKED_INTO = ("+440", "+44118", *(f"+{relay}" for relay in SERVICES.relay_prefixes))
_RELAYED_ABROAD = tuple(f"+{SERVICES.calling_code}{relay}" for relay in SERVICES.relay_prefixes)
#: What `str.isprintable` refuses.
_UNPRINTABLE = r"[\p{C}[\p{Z}--\x20]]"


@dataclass(frozen=True, slots=True)
class Mediated:
    """The calls of some records, why others are not among them, and what cannot be read at all."""

    calls: pl.DataFrame
    suspended: Counter[str]
    errors: tuple[RowError, ...]
    error_count: int


def header_errors(heads: list[str]) -> list[RowError]:
    """What is wrong with the columns of a file."""
    missing = [name for name in REQUIRED if name not in heads]
    unknown = [name for name in heads if name not in (*COLUMNS, *FLAGS)]
    return [
        *(RowError(1, name, "the column is missing") for name in missing),
        *(RowError(1, name or "-", "no such column") for name in unknown),
    ]


def mediate(records: pl.DataFrame, estate: Estate, *, now: datetime, errors_max: int) -> Mediated:
    """Read records (text in `COLUMNS`, rows in the file's order) as calls of an estate's lines."""
    texts = records.with_columns(pl.col(pl.String).fill_null("").str.strip_chars())
    for name in (*OPTIONAL, *FLAGS):
        if name not in texts.columns:
            texts = texts.with_columns(pl.lit("").alias(name))
    columns = texts.with_columns(
        row=pl.int_range(2, pl.len() + 2, dtype=pl.UInt32),
        leg=pl.when(pl.col("leg") == "").then(pl.lit("1")).otherwise("leg"),
        direction=pl.col("direction").str.to_lowercase(),
    ).with_columns(**{f"{name}_at": _instants(texts[name]) for name in ("setup", "released")})
    columns = columns.with_columns(answered_at=_instants(texts["answered"]))
    errors = _errors(columns)
    if errors.height:
        listed = [RowError(*each) for each in errors.sort("row").head(errors_max).iter_rows()]
        return Mediated(pl.DataFrame(schema=CALLS), Counter(), tuple(listed), errors.height)
    inbound = columns["direction"] == "inbound"
    destinations = destinations_of(columns["dialled"])
    owner = destinations_of(columns["caller"]).zip_with(~inbound, destinations)
    calls = columns.with_columns(
        destination=destinations,
        line=_lines(owner, columns["ingress"], estate),
        inbound=inbound,
        **{name: pl.col(name).str.to_lowercase().is_in(["true", "yes", "1"]) for name in FLAGS},
    ).with_columns(duration_seconds=_duration(), reason=_objection(now))
    reasons = calls["reason"].drop_nulls().value_counts()
    kept = calls.filter(pl.col("reason").is_null())
    return Mediated(
        kept.select(
            *(
                pl.col("setup_at").alias("setup") if name == "setup" else pl.col(name).cast(dtype)
                for name, dtype in CALLS.items()
            )
        ),
        Counter(dict(reasons.iter_rows())),
        (),
        0,
    )


def _duration() -> pl.Expr:
    """From answer to release, rounded up once; 0 for a call that was not answered."""
    micros = (pl.col("released_at") - pl.col("answered_at")).dt.total_microseconds()
    return (up_to_step(micros, pl.lit(_SECOND, pl.Int64)) // _SECOND).fill_null(0)


def _objection(now: datetime) -> pl.Expr:
    """Why a call is not to be believed, or whose it is not known; null for most."""
    answered = pl.col("answered_at").fill_null(pl.col("released_at"))
    in_order = (pl.col("setup_at") <= answered) & (answered <= pl.col("released_at"))
    seconds = (pl.col("released_at") - answered).dt.total_seconds()
    absurd = (seconds > DURATION_SECONDS_MAX) | (pl.col("released_at") > pl.lit(now + AHEAD))
    return (
        pl.when(~in_order)
        .then(pl.lit(SuspenseReason.NEGATIVE_TIME.value))
        .when(absurd)
        .then(pl.lit(SuspenseReason.ABSURD_TIME.value))
        .when(pl.col("line").is_null())
        .then(pl.lit(SuspenseReason.UNKNOWN_LINE.value))
    )


def _errors(columns: pl.DataFrame) -> pl.DataFrame:
    """Rows that cannot be read: row, column, message."""
    found = []

    def refuse(column: str, when: pl.Expr, message: str) -> None:
        rows = columns.filter(when).select("row")
        found.append(
            rows.with_columns(column=pl.lit(column), message=pl.lit(message)).select(
                "row", "column", "message"
            )
        )

    for name, limit in _TEXT_MAX.items():
        text = pl.col(name)
        refuse(name, text == "", "is empty")
        odd = (text.str.len_chars() > limit) | text.str.contains(_UNPRINTABLE)
        refuse(name, odd, f"is not text of at most {limit} characters")
    no_time = "is no time with a zone, as in 2026-11-02T09:30:00Z"
    for name in ("setup", "released"):
        refuse(name, pl.col(f"{name}_at").is_null(), no_time)
    refuse("answered", pl.col("answered_at").is_null() & (pl.col("answered") != ""), no_time)
    directions = ["", "outbound", "inbound"]
    refuse("direction", ~pl.col("direction").is_in(directions), "must be outbound or inbound")
    return pl.concat(found)


def _instants(texts: pl.Series) -> pl.Series:
    found = texts.str.to_datetime(format="%+", time_unit="us", time_zone="UTC", strict=False)
    odd = (found.is_null() & (texts != "")).arg_true()
    if not len(odd):
        return found
    # Forms that a single record may have as well, such as a date without hyphens.
    answers = {text: _instant(text) for text in texts[odd].unique()}
    return found.scatter(odd, texts[odd].replace_strict(answers, return_dtype=_INSTANT))


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if found.tzinfo is None else found.astimezone(UTC)


def destinations_of(dialled: pl.Series) -> pl.Series:
    """`destination_of` each dialled form, asked once for each that needs it."""
    usual = dialled.str.contains(_AS_IT_IS)
    for prefix in (*_LOOKED_INTO, *_RELAYED_ABROAD):
        usual &= ~dialled.str.starts_with(prefix)
    odd = (~usual).arg_true()
    if not len(odd):
        return dialled
    answers = {text: destination_of(text) for text in dialled[odd].unique()}
    return dialled.scatter(odd, dialled[odd].replace_strict(answers, return_dtype=pl.String))


def _lines(numbers: pl.Series, ingress: pl.Series, estate: Estate) -> pl.Series:
    """The place of the line of each call; null where nobody knows it on that connection."""
    known = pl.DataFrame(
        [(*key, nth) for key, nth in estate.places.items()],
        schema={"number": pl.String, "ingress": pl.String, "line": pl.UInt32},
        orient="row",
    )
    asked = pl.DataFrame({"number": numbers, "ingress": ingress})
    return asked.join(known, on=["number", "ingress"], how="left", maintain_order="left")["line"]


def parts(calls: pl.DataFrame, estate: Estate, count: int) -> Iterator[pl.DataFrame]:
    """Calls by account, in so many parts: each pool lies in one part, whoever made the split."""
    account = estate.lines["account"][calls["line"]]
    for nth in range(count):
        yield calls.filter(account % count == nth)
