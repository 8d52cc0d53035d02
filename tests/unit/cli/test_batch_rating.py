"""`callplane rate batch` over the samples: what it reads, what it refuses, what it comes to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import yaml

from callplane.cli import app

SAMPLES = Path(__file__).parents[3] / "manifests" / "samples"
HEAD = "attempt_id,caller,dialled,ingress,setup,answered,released"
LINES = """caller,ingress,account,plan
+442079460001,trunks/teams,example,domestic-300
+442079460002,trunks/teams,example,
"""
Run = Callable[..., str]


def call(nth: int, dialled: str, minutes: int, caller: str = "+442079460001") -> str:
    hour = f"2026-11-02T{9 + nth // 60:02}:{nth % 60:02}"
    released = f"2026-11-02T{9 + nth // 60 + minutes // 60:02}:{nth % 60:02}:00Z"
    return f"call-{nth},{caller},{dialled},trunks/teams,{hour}:00Z,{hour}:00Z,{released}"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    (tmp_path / "lines.csv").write_text(LINES, encoding="utf-8")

    def ran(rows: list[str], *arguments: str, head: str = HEAD, code: int = 0) -> str:
        file = tmp_path / "calls.csv"
        file.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
        lines = f"--lines={tmp_path / 'lines.csv'}"
        ended = app.run(["rate", "batch", str(file), f"--manifests={SAMPLES}", lines, *arguments])
        printed = capsys.readouterr()
        assert ended == code, printed
        text = printed.out if code == 0 else printed.out + printed.err
        return text.replace(str(file), "calls.csv")

    return ran


ROWS = [
    call(0, "020 7946 0123", 120),
    # Two hours more than the pool of 300 minutes has; overspend is off in the sample.
    call(1, "02079460124", 240),
    call(2, "+12125550123", 60, caller="+442079460002"),
    call(3, "999", 60),
    call(4, "+353123456", 60, caller="+442079460002"),
    call(5, "020 7946 0123", 60, caller="+442079460009"),
]


def test_a_file_comes_to_sums_by_account_and_month(run: Run) -> None:
    found = json.loads(run([*ROWS, ROWS[0]], "--json"))
    assert found["suspended"] == {"UnknownLine": 1}
    sums = {row["outcome"]: row for row in found["sums"]}
    assert {(row["account"], row["month"]) for row in found["sums"]} == {
        ("default/example", "2026-11")
    }
    assert sums["Plan"]["calls"] == 2
    assert sums["Plan"]["pool_seconds"] == 300 * 60
    assert sums["Emergency"]["micros"] == 0


def test_the_text_names_what_waits(run: Run) -> None:
    text = run(ROWS)
    assert "6 calls" not in text
    assert "5 calls" in text
    assert "not rated, UnknownLine: 1" in text
    assert "default/example" in text


def test_another_card_beside(run: Run) -> None:
    found = json.loads(run(ROWS, "--against=standard", "--json"))
    for row in found["sums"]:
        assert row["other_micros"] == row["micros"]
    assert "DIFFERENCE" in run(ROWS, "--against=standard")


def test_rated_calls_are_written_with_their_prices(run: Run, tmp_path: Path) -> None:
    run(ROWS, f"--out={tmp_path / 'rated'}")
    rated = pl.read_parquet(tmp_path / "rated" / "part-00000.parquet").sort("attempt_id")
    assert rated["month"].unique().to_list() == ["2026-11"]
    assert rated.filter(pl.col("attempt_id") == "call-0")["pool_seconds"].item() == 7_200


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([ROWS[0].replace("2026-11-02T09:00:00Z,", "soon,", 1)],
         "calls.csv: row 2, setup: is no time with a zone"),
        ([ROWS[0], ROWS[1].replace("call-1", "")], "row 3, attempt_id: is empty"),
        ([ROWS[0].replace("trunks/teams", "x" * 300)], "ingress: is not text of at most 253"),
        ([f"{n},,,,,," for n in range(60)], "and 200 more reasons"),
        ([ROWS[0] + ",more"], "cannot be read"),
    ],
)  # fmt: skip
def test_a_file_with_a_row_that_cannot_be_read_is_not_rated(
    run: Run, rows: list[str], message: str
) -> None:
    found = run(rows, code=1)
    assert "nothing was rated" in found
    assert message in found


def test_columns_are_checked(run: Run) -> None:
    found = run([], head=HEAD.replace("released", "colour"), code=1)
    assert "row 1, released: the column is missing" in found
    assert "row 1, colour: no such column" in found


def test_times_that_make_no_sense_wait(run: Run) -> None:
    backwards = "c,+442079460001,999,trunks/teams,2026-11-02T09:00:00Z,,2026-11-02T08:00:00Z"
    future = "d,+442079460001,999,trunks/teams,2126-11-02T09:00:00Z,,2126-11-02T09:00:00Z"
    long = "e,+442079460001,999,trunks/teams,2026-11-02T09:00:00Z,2026-10-02T09:00:00Z,"
    long = long.replace("2026-11-02T09:00:00Z,2026-10", "2026-09-02T09:00:00Z,2026-10")
    found = json.loads(run([backwards, future, long + "2026-11-02T08:00:00Z"], "--json"))
    assert found["suspended"] == {"NegativeTime": 1, "AbsurdTime": 2}
    assert found["calls"] == 0


def test_a_card_may_name_a_deck(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "git"
    folder.mkdir()
    manifest = yaml.safe_load((SAMPLES / "ratecard.yaml").read_text(encoding="utf-8"))
    manifest["metadata"]["name"] = "other"
    del manifest["spec"]["rows"]
    manifest["spec"]["deck"] = {"digest": "0" * 64}
    (folder / "other.yaml").write_text(yaml.safe_dump(manifest), encoding="utf-8")
    found = run(ROWS, "--against=other", f"--manifests={folder}", code=1)
    assert "--database-url" in found
