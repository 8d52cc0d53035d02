"""`callplane numbers coverage` over a snapshot: forms, masks, and what a pipeline stops at."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from callplane.cli import app
from callplane.clock import SystemClock
from callplane.engine import snapshot_files
from callplane.testing.planning_builders import Estate, number

OFFICE = "00000000-0000-4000-8000-00000000cccc"


class Desk:
    """An estate in a snapshot, and the program."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.estate = Estate()
        self.folder = folder
        self.snapshot = folder / "a.snapshot"
        self.said = ""
        self._capsys = capsys
        address = {"street": "1 Sample Street", "town": "London", "postcode": "ZZ99 9ZZ"}
        spec = {"address": address, "teamsLocationId": OFFICE}
        self.estate.put("EmergencyLocation", "office", spec, namespace="platform")
        self.estate.range(emergencyLocationRef={"name": "office"})

    def hire(self, name: str, index: int, location: str | None) -> None:
        self.estate.hire(name)
        self.estate.give(name, index, location=location)
        self.estate.declare(name)

    def run(self, *arguments: str, code: int = 0) -> str:
        self.estate.cluster_objects[:] = self.estate.manifests.values()
        observations = replace(self.estate.observations(), taken_at=SystemClock().now())
        snapshot_files.save(self.snapshot, observations)
        ended = app.run(["numbers", "coverage", "--snapshot", str(self.snapshot), *arguments])
        printed = self._capsys.readouterr()
        self.said = printed.err
        assert ended == code, printed
        return printed.out


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    made = Desk(tmp_path, capsys)
    made.hire("anna", 1, OFFICE)
    made.hire("ben", 2, None)
    return made


def test_the_text_counts_and_names_what_is_missing(desk: Desk) -> None:
    text = desk.run()
    assert text.startswith("2 numbers in use, observed ")
    assert "1 missing, 1 accepted" in text
    (row,) = [line for line in text.splitlines() if "ben@example.com" in line]
    assert row.split()[:3] == [number(2).masked, "ben@example.com", "TeamsTenant"]
    assert "anna@example.com" not in text


def test_nobody_with_a_number_is_nothing_to_report(desk: Desk) -> None:
    desk.estate = Estate()
    assert "nobody has a number" in desk.run("--fail-on", "missing")


def test_a_pipeline_stops_at_what_it_names(desk: Desk) -> None:
    desk.run(code=0)
    desk.run("--fail-on", "different", code=0)
    desk.run("--fail-on", "different", "--fail-on", "missing", code=2)
    assert "--fail-on: 1 number (Missing)" in desk.said


@pytest.mark.parametrize("form", ["text", "json", "csv"])
def test_numbers_are_masked_unless_asked_for(
    desk: Desk, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert number(2).text not in desk.run("--format", form)
    assert number(2).text in desk.run("--format", form, "--show-numbers")
    monkeypatch.setenv("CALLPLANE_SHOW_NUMBERS", "true")
    assert number(2).text in desk.run("--format", form)


def test_json_has_every_number_with_every_check(desk: Desk) -> None:
    content: dict[str, Any] = json.loads(desk.run("--format", "json"))
    assert (content["format"], content["version"]) == ("callplane-coverage", 1)
    assert content["summary"] == {"numbers": 2, "states": {"Missing": 1, "Accepted": 1}}
    assert content["totals"]["locations"] == [
        {"name": "platform/office", "numbers": 2, "states": {"Missing": 1, "Accepted": 1}}
    ]
    anna = content["numbers"][0]
    assert anna["declaredBy"] == "TeamsUser sales/anna"
    assert anna["checks"] == [
        {"system": "TeamsTenant platform/main", "state": "Accepted", "reason": None}
    ]


def test_csv_has_a_row_a_number_and_system_and_no_formulas(desk: Desk) -> None:
    desk.estate.hire("=cmd", index=3)
    rows = list(csv.DictReader(io.StringIO(desk.run("--format", "csv"))))
    assert [row["state"] for row in rows] == ["Accepted", "Missing", "Missing"]
    assert rows[2]["holder"] == "'=cmd@example.com"
    assert rows[1]["location"] == "platform/office"


def test_long_lists_are_cut_in_text_and_whole_with_all(desk: Desk) -> None:
    for index in range(10, 75):
        desk.hire(f"person{index}", index, None)
    assert "and 16 more; --all shows them" in desk.run()
    assert "more; --all" not in desk.run("--all")


def test_manifests_count_before_what_the_cluster_has(desk: Desk) -> None:
    tree = desk.folder / "tree"
    tree.mkdir()
    body = {
        **desk.estate.manifests[
            next(key for key in desk.estate.manifests if key.kind == "EmergencyLocation")
        ]
    }
    body["spec"] = {**body["spec"], "teamsLocationId": "00000000-0000-4000-8000-00000000dddd"}
    (tree / "office.yaml").write_text(yaml.safe_dump(body))
    desk.run(str(tree), "--fail-on", "different", code=2)


def test_where_to_look_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["numbers", "coverage"]) == 1
    assert "--snapshot FILE" in capsys.readouterr().err
