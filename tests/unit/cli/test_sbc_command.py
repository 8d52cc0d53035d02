"""`callplane sbc`: all reasons with their lines, never half a configuration, and no idle wait."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

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


def tree(folder: Path, *documents: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    for index, document in enumerate(documents):
        body = {"apiVersion": "callplane.dev/v1alpha1", **document}
        (folder / f"{index}.yaml").write_text(yaml.safe_dump(body), encoding="utf-8")
    return folder


def made(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "namespace": "platform"}, "spec": spec}


SBC = made("SessionBorderController", "main", domain="sip.callplane.example")
BRANCH = made(
    "PbxTrunk",
    "depot",
    sbcRef={"name": "main"},
    trunk="depot",
    targets=["192.0.2.70:5060"],
    sources=["192.0.2.70/32"],
    numberRangeRefs=[{"name": "depot"}],
    accountRef={"name": "acme"},
)
BLOCK = made(
    "NumberRange",
    "depot",
    first="+441614960400",
    last="+441614960403",
    route="DirectRouting",
    carrierRef={"name": "bravo"},
)


def test_what_is_declared_goes_into_the_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    objects = tree(tmp_path / "tree", SBC, BRANCH, BLOCK)
    target = tmp_path / "out"
    arguments = ["sbc", "render", str(GOLDEN), "--objects", str(objects), "--sbc", "platform/main"]
    assert app.run([*arguments, "-o", str(target)]) == 0
    assert "3 192.0.2.70 32 0 depot" in (target / "address.list").read_text()
    assert "$sht(holder=>+441614960403) = 2;" in (target / "numbers.cfg").read_text()
    capsys.readouterr()


def test_nothing_is_written_when_the_objects_do_not_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clashing = {**BRANCH, "spec": {**BRANCH["spec"], "sources": ["192.0.2.65/32"]}}
    objects = tree(tmp_path / "tree", SBC, clashing, BLOCK)
    target = tmp_path / "out"
    arguments = ["sbc", "render", str(GOLDEN), "--objects", str(objects), "-o", str(target)]
    assert app.run([*arguments, "--sbc", "platform/other"]) == 1
    shown = capsys.readouterr().err
    assert "SessionBorderController platform/other is not declared" in shown
    assert app.run([*arguments, "--sbc", "platform/main"]) == 1
    assert "which overlaps with 192.0.2.65/32" in capsys.readouterr().err
    assert app.run([*arguments, "--sbc", "main"]) == 1
    assert "NAMESPACE/NAME" in capsys.readouterr().err
    assert not target.exists()


def test_objects_that_break_a_rule_are_refused_with_their_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = {**BRANCH, "spec": {**BRANCH["spec"], "targets": ["192.0.2.70:99999"]}}
    objects = tree(tmp_path / "tree", SBC, broken, BLOCK)
    arguments = ["sbc", "render", str(GOLDEN), "--objects", str(objects)]
    assert app.run([*arguments, "--sbc", "platform/main"]) == 1
    assert "1.yaml:" in (shown := capsys.readouterr().err)
    assert "sip-address-unusable" in shown


def test_phones_without_objects_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["sbc", "render", str(GOLDEN), "--phones"]) == 1
    assert capsys.readouterr().err == "--phones is about SipPhones of --objects\n"


def test_phones_need_the_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["sbc", "render", str(GOLDEN), "--objects", str(tmp_path), "--phones"]) == 1
    assert "--database-url" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--limit=soon"], "--limit 'soon' is not a duration"),
        (["--end-after=25h"], "--end-after must be more than 0 and at most 1d"),
        (["--records=0s"], "--records must be more than 0"),
        (["--limit=1h", "--end-after=1h"], "--end-after 1h has to be less than --limit 1h"),
        ([], "rpc.sock: htable.seti got no answer"),
    ],
)
def test_a_drain_that_cannot_be_says_so_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert app.run(["sbc", "drain", str(tmp_path / "rpc.sock"), *options]) == 1
    assert said in capsys.readouterr().err


def test_nobody_waits_for_an_sbc_that_is_not_there(tmp_path: Path) -> None:
    assert app.run(["sbc", "wait", str(tmp_path / "rpc.sock"), "--limit=24h"]) == 0
