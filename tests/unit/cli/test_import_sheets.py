"""`callplane import --csv`: good rows are written, and every other one is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from callplane.testing.planning_builders import (
    manifest,
    number,
)
from callplane.testing.takeovers import Takeover


@pytest.fixture
def takeover(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Takeover:
    return Takeover(tmp_path, capsys)


COLUMNS = "userPrincipalName=Mail,number=DDI"


class Desk:
    """A spreadsheet for the estate of a takeover, and the program run on it."""

    def __init__(self, takeover: Takeover) -> None:
        self.takeover = takeover
        self.file = takeover.folder.parent / "people.csv"

    def write(self, content: str | bytes) -> None:
        self.file.write_bytes(content.encode() if isinstance(content, str) else content)

    def take_in(self, *options: str, columns: str = COLUMNS, code: int = 0) -> str:
        sheet = ("--csv", str(self.file), "--columns", columns)
        where = ("--tenant", "platform/main", "--into", str(self.takeover.folder))
        return self.takeover.run("import", *sheet, *where, "--country", "GB", *options, code=code)


@pytest.fixture
def desk(takeover: Takeover) -> Desk:
    return Desk(takeover)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_sheet_of_what_is_there_plans_to_nothing(desk: Desk, mark: bytes) -> None:
    estate = desk.takeover.estate
    estate.range()
    lines = ["Mail;DDI;Näme"]
    for index in range(30):
        estate.hire(f"person{index}", index=index, ours=False)
        lines.append(f"Person{index}@example.com;020 7946 0{index:03};Zoë")
    desk.write(mark + "\r\n".join(lines).encode())
    desk.take_in()
    assert len(desk.takeover.written()) == 1
    desk.takeover.save()
    assert "Plan: 0 changes on 0 of 30 objects" in desk.takeover.plan()


def test_good_rows_are_written_and_the_others_named(desk: Desk) -> None:
    desk.write(
        "Mail,DDI\n"
        "anna@example.com,020 7946 0001\n"
        "ben@example.com,=A1\n"
        "carla@example.com,020 7946 0001\n"
        "dora@example.com,020 7946 0002\n"
    )
    lines = desk.take_in(code=2).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["row 3", "row 4"]
    assert desk.takeover.said.endswith("2 people written; 2 rows refused\n")
    (file,) = desk.takeover.folder.rglob("*.yaml")
    names = [body["metadata"]["name"] for body in yaml.safe_load_all(file.read_text())]
    assert names == ["anna-example-com", "dora-example-com"]


def test_many_people_are_spread_over_files(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callplane.cli.spreadsheet_import.PEOPLE_A_FILE", 4)
    rows = [f"person{index}@example.com,020 7946 000{index}" for index in range(9)]
    desk.write("\n".join(["Mail,DDI", *rows]))
    desk.take_in()
    files = sorted(desk.takeover.folder.rglob("*.yaml"))
    assert [file.name for file in files] == [f"people-00{count}.yaml" for count in (1, 2, 3)]
    counts = [len([*yaml.safe_load_all(file.read_text())]) for file in files]
    assert counts == [4, 4, 1]


def test_a_sheet_that_was_imported_adds_nothing(desk: Desk) -> None:
    desk.write("Mail,DDI\nanna@example.com,020 7946 0001\n")
    desk.take_in()
    before = desk.takeover.written()
    assert "is in TeamsUser platform/anna-example-com already" in desk.take_in(code=2)
    assert desk.takeover.written() == before


def test_no_file_of_people_is_ever_replaced(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callplane.cli.spreadsheet_import.PEOPLE_A_FILE", 1)
    there = desk.takeover.folder / "main" / "people" / "people-002.yaml"
    there.parent.mkdir(parents=True)
    there.write_text("# mine\n")
    desk.write("Mail,DDI\nanna@example.com,020 7946 0001\nben@example.com,020 7946 0002\n")
    desk.take_in(code=1)
    assert f"{there} would be replaced, so nothing was written" in desk.takeover.said
    assert [*desk.takeover.written().values()] == [b"# mine\n"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"Mail,DDI\nZo\xeb,1\n", "byte 11 (line 2) is no UTF-8: 0xeb"),
        (b"Mail,DDI\n" + b"x" * 65526 + "ë".encode()[:1], "byte 65535 (line 2) is no UTF-8"),
        (b"Mail,DDI\n" + b"x" * 65526 + "ë".encode() + b"\xff", "byte 65537 (line 2)"),
        ("Mail,DDI\n".encode("utf-16"), "is in UTF-16"),
        (b"", "column 'Mail' is missing, 'DDI' is missing"),
    ],
)
def test_a_sheet_that_cannot_be_read_is_refused_whole(
    desk: Desk, content: bytes, reason: str
) -> None:
    desk.write(content)
    desk.take_in(code=1)
    assert reason in desk.takeover.said
    assert desk.takeover.written() == {}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--tenant", "main"], "--csv needs --tenant NAMESPACE/NAME"),
        (["--country", "FR"], "--country FR: no number plan here; known are GB, US"),
        (["--csv", "/nowhere/a.csv"], "/nowhere/a.csv: no such file"),
    ],
)
def test_wrong_options_of_a_sheet_say_what_to_do(
    desk: Desk, options: list[str], reason: str
) -> None:
    desk.write("Mail,DDI\n")
    desk.take_in(*options, code=1)
    assert reason in desk.takeover.said


# Sheets of other connections

WEBEX = ("--connection", "WebexOrganization/platform/org")
CARRIER = ("--connection", "Carrier/platform/main")


class OtherDesk(Desk):
    """A spreadsheet for any connection."""

    def take_in(self, *options: str, columns: str = COLUMNS, code: int = 0) -> str:
        sheet = ("--csv", str(self.file), "--columns", columns)
        into = ("--into", str(self.takeover.folder))
        return self.takeover.run("import", *sheet, *into, "--country", "GB", *options, code=code)

    def specs(self) -> list[dict[str, Any]]:
        return [
            body["spec"]
            for content in self.takeover.written().values()
            for body in yaml.safe_load_all(content)
        ]


@pytest.fixture
def other_desk(takeover: Takeover) -> OtherDesk:
    return OtherDesk(takeover)


def test_people_of_webex_come_from_a_sheet(other_desk: OtherDesk) -> None:
    other_desk.write(
        "Mail,DDI,Office,Ext,Lic,Where\n"
        "Anna@example.com,020 7946 0001,London,1001,Professional,office\n"
        "ben@example.com,020 7946 0002,,,,\n"
        "cara@example.com,020 7946 0003,London,ten,,\n"
        "anna@example.com,020 7946 0004,London,1004,,\n"
    )
    columns = (
        "email=Mail,number=DDI,location=Office,extension=Ext,licence=Lic,emergencyLocation=Where"
    )
    said = other_desk.take_in(*WEBEX, columns=columns, code=2).splitlines()
    assert [line.partition(":")[0] for line in said] == ["row 4", "row 5"]
    assert "spec.extension" in said[0]
    assert "email is in row 2 already" in said[1]
    anna, ben = other_desk.specs()
    assert anna == {
        "organizationRef": {"name": "org"},
        "email": "anna@example.com",
        "location": "London",
        "licence": "Professional",
        "phoneNumber": {"e164": number(1).text},
        "extension": "1001",
        "emergencyLocationRef": {"name": "office"},
    }
    assert set(ben) == {"organizationRef", "email", "phoneNumber"}
    assert all(path.startswith("org/people/") for path in other_desk.takeover.written())


def test_numbers_of_a_carrier_that_cannot_be_asked_come_from_a_sheet(
    other_desk: OtherDesk,
) -> None:
    estate = other_desk.takeover.estate
    estate.carrier("main", kind="BringYourOwn", credentials=None, balance_micros=None)
    other_desk.write(
        "DDI;For;Note\n"
        "020 7946 0001;;Front door\n"
        "001 202 555 0100;Service;\n"
        "020 7946 0001;;\n"
        "020 7946 0002;Robots;\n"
        "2.07946E+9;;\n"
    )
    said = other_desk.take_in(*CARRIER, columns="number=DDI,use=For,description=Note", code=2)
    rows = dict(line.split(": ", 1) for line in said.splitlines())
    assert set(rows) == {"row 4", "row 5", "row 6"}
    assert "is in row 2 already" in rows["row 4"]
    assert "spec.use" in rows["row 5"]
    assert "was rounded by a spreadsheet program" in rows["row 6"]
    british, american = other_desk.specs()
    assert british == {
        "e164": number(1).text,
        "carrierRef": {"name": "main"},
        "route": "DirectRouting",
        "use": "User",
        "country": "GB",
        "description": "Front door",
    }
    assert (american["country"], american["use"]) == ("US", "Service")
    other_desk.takeover.save()
    assert other_desk.takeover.plan().startswith("Plan: 0 changes on 0 of")


def test_a_number_of_a_range_in_the_folder_is_not_stated_twice(other_desk: OtherDesk) -> None:
    other_desk.takeover.folder.mkdir()
    body = manifest(
        "NumberRange",
        "london",
        {"first": number(0).text, "last": number(9).text, "route": "DirectRouting"},
        namespace="platform",
    )
    (other_desk.takeover.folder / "range.yaml").write_text(yaml.safe_dump(body))
    other_desk.write(f"DDI\n{number(3).text}\n{number(10).text}\n")
    said = other_desk.take_in(*CARRIER, columns="number=DDI", code=2)
    assert said.startswith("row 2: number +44")
    assert "is in a NumberRange already" in said


def test_a_person_of_another_platform_has_their_number(other_desk: OtherDesk) -> None:
    other_desk.write("Mail,DDI\nanna@example.com,020 7946 0001\n")
    other_desk.take_in("--tenant", "platform/main")
    other_desk.file = other_desk.file.with_name("webex.csv")
    other_desk.write("Mail,DDI\nben@example.com,020 7946 0001\nanna@example.com,020 7946 0002\n")
    said = other_desk.take_in(*WEBEX, columns="email=Mail,number=DDI", code=2)
    assert "is in TeamsUser platform/anna-example-com already" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "columns", "reason"),
    [
        ((), "email=Mail,number=DDI", "--csv needs one --connection KIND/NAMESPACE/NAME"),
        ((*WEBEX, *CARRIER), "number=DDI", "--csv needs one --connection"),
        (("--connection", "platform/org"), "number=DDI", "a KIND is one of TeamsTenant, Webex"),
        (("--connection", "Pigeon/a/b"), "number=DDI", "'Pigeon/a/b' is none"),
        (WEBEX, "email=Mail", "number must be named"),
        (WEBEX, "userPrincipalName=Mail,number=DDI", "a field of email, number, location, lic"),
        (CARRIER, "email=Mail,number=DDI", "a field of number, route, use"),
    ],
)
def test_wrong_options_of_other_sheets_say_what_to_do(
    other_desk: OtherDesk, options: tuple[str, ...], columns: str, reason: str
) -> None:
    other_desk.write("Mail,DDI\n")
    other_desk.take_in(*options, columns=columns, code=1)
    assert reason in other_desk.takeover.said
