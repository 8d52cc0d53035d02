"""`callplane sbc render`: all reasons with their lines, and never half a configuration."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml

from callplane.cli import app

GOLDEN = Path(__file__).parents[2] / "golden" / "sbc" / "london.yaml"


def test_files_are_written_for_the_program_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out"
    assert app.run(["sbc", "render", str(GOLDEN), "-o", str(target)]) == 0
    assert "8 files" in capsys.readouterr().err
    assert len(list(target.iterdir())) == 8
    assert {stat.S_IMODE(file.stat().st_mode) for file in target.iterdir()} == {0o600}
    first = {file.name: file.read_bytes() for file in target.iterdir()}
    assert app.run(["sbc", "render", str(GOLDEN), "-o", str(target)]) == 0
    assert {file.name: file.read_bytes() for file in target.iterdir()} == first


def test_without_a_folder_the_logic_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["sbc", "render", str(GOLDEN)]) == 0
    assert capsys.readouterr().out.startswith("#!KAMAILIO\n")


def test_nothing_is_written_when_anything_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = yaml.safe_load(GOLDEN.read_text(encoding="utf-8"))
    values["core"] = "nowhere"
    values["carriers"][0]["targets"] = ["carrier.example:5060"]
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    target = tmp_path / "out"
    assert app.run(["sbc", "render", str(file), "-o", str(target)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[0].startswith(f"{file}:3: core must be an IPv4 address")
    assert "carriers[0].targets[0]" in said[1]
    assert not target.exists()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name: [", "2: did not find"),
        ("", "1: holds 0 documents"),
        ("name: a\n---\nname: b\n", "holds 2 documents"),
        ("name: a\nname: b\n", "2: name is written twice"),
    ],
)
def test_a_file_that_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, complaint: str
) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(text, encoding="utf-8")
    assert app.run(["sbc", "render", str(file)]) == 1
    assert complaint in capsys.readouterr().err


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["sbc", "render", "nowhere.yaml"]) == 1
    assert "nowhere.yaml: No such file" in capsys.readouterr().err
