"""Rows of a spreadsheet: what becomes a manifest, every reason why not, and nothing kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from callplane.desired.spreadsheets import (
    BadColumns,
    Cells,
    Columns,
    Drafted,
    Refused,
    Seen,
    Target,
    Unreadable,
    drafts,
    known,
    read_number,
    rows,
)

COLUMNS = Columns.parse("userPrincipalName=Mail, number=DDI, location=Site, policy.TeamsXPolicy=P")
HEADER = ["Name", "Mail", "DDI", "Site", "P"]
TARGET = Target("sales", "platform", "main", "GB")


def answers(*found: Cells, seen: Seen | None = None) -> list[Drafted | Refused]:
    return list(drafts([HEADER, *found], COLUMNS, TARGET, seen or Seen()))


def reason(*cells: str) -> str:
    (answer,) = answers(cells)
    assert isinstance(answer, Refused), answer
    return "; ".join(answer.reasons)


def body(*cells: str) -> dict[str, Any]:
    (answer,) = answers(cells)
    assert isinstance(answer, Drafted), answer
    return answer.body


def test_a_row_becomes_a_manifest() -> None:
    found = body("Anna", "Anna.A@example.com", "020 7946 0000", "office", "Sales")
    assert found["metadata"] == {"name": "anna-a-example-com", "namespace": "sales"}
    assert found["spec"] == {
        "tenantRef": {"name": "main", "namespace": "platform"},
        "userPrincipalName": "anna.a@example.com",
        "phoneNumber": {"e164": "+442079460000"},
        "emergencyLocationRef": {"name": "office"},
        "policies": [{"type": "TeamsXPolicy", "name": "Sales"}],
    }


def test_empty_cells_are_not_managed_and_empty_rows_are_nothing() -> None:
    spec = body("Anna", "anna@example.com", "+442079460000")["spec"]
    assert set(spec) == {"tenantRef", "userPrincipalName", "phoneNumber"}
    assert answers([], ["", " "]) == []


@pytest.mark.parametrize(
    "text",
    [
        "+442079460000",
        "+44 20 7946 0000",
        "+44 (0)20 7946 0000",
        "0044 20 7946 0000",
        "020 7946 0000",
        "(020) 7946-0000",
        "020\u00a07946\u00a00000",
        "'02079460000",
        "442079460000",
    ],
)
def test_a_number_is_read_as_people_write_it(text: str) -> None:
    assert read_number(text, country="GB").text == "+442079460000"
    found = body("", "anna@example.com", text)
    assert found["spec"]["phoneNumber"] == {"e164": "+442079460000"}


@pytest.mark.parametrize(
    "text",
    ["+1 202 555 0100", "(202) 555-0100", "202.555.0100", "1 202 555 0100", "+12025550100"],
)
def test_a_number_of_the_us_is_read_as_people_write_it_there(text: str) -> None:
    assert read_number(text, country="US").text == "+12025550100"


def test_a_number_abroad_is_read_as_it_is_dialled() -> None:
    assert read_number("011 44 20 7946 0000", country="US").text == "+442079460000"
    assert read_number("001 202 555 0100", country="GB").text == "+12025550100"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "number is empty"),
        ("4.42079E+11", "was rounded by a spreadsheet program"),
        ("2079460000", "begins neither with + nor with 0"),
        ("020 7946", "has no length or start that numbers of GB have"),
        ("+4420", "too few or too many digits"),
        ("020 7946 0000 x12", "is no telephone number"),
        ("+33123456789", "is of a country without a number plan here (GB, US)"),
        ("999", "begins neither with + nor with 0"),
        ("=1+1", "begins like a formula"),
        ("-442079460000", "begins like a formula"),
        ("@442079460000", "begins like a formula"),
        ("+cmd|' /C calc'!A0", "is no telephone number"),
        ("٠٢٠٧٩٤٦٠٠٠٠", "is no telephone number"),
    ],
)
def test_a_number_that_is_none_has_a_reason(text: str, why: str) -> None:
    assert why in reason("", "anna@example.com", text)


def test_without_a_country_only_the_international_form_is_read() -> None:
    assert read_number("+44 20 7946 0000", country="").text == "+442079460000"
    with pytest.raises(ValueError, match="no --country says how to read it"):
        read_number("020 7946 0000", country="")


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (("", "", "020 7946 0000"), "userPrincipalName is empty"),
        (("", "anna", "020 7946 0000"), "is no user principal name: 'anna'"),
        (("", "=anna@example.com", "020 7946 0000"), "userPrincipalName begins like a formula"),
        (("", "a\x00b@example.com", "020 7946 0000"), "cannot be printed"),
        (("", "anna@example.com", "020 7946 0000", "No Name"), "emergencyLocationRef.name"),
        (("", "anna@example.com", "020 7946 0000", "", "+Sales"), "begins like a formula"),
        (("", "anna@example.com", "020 7946 0000", "", "P" * 129), "policies[0].name"),
        (("", "anna@example.com", "020 7946 0000", "", "", "more"), "6 cells, and the header"),
    ],
)
def test_a_cell_that_is_wrong_has_a_reason(cells: tuple[str, ...], why: str) -> None:
    assert why in reason(*cells)


def test_a_row_tells_everything_that_is_wrong_with_it() -> None:
    found = reason("", "anna", "12", "=A1")
    assert found.count(";") == 2


def test_cells_that_are_not_asked_for_may_hold_anything() -> None:
    body("=HYPERLINK(1)", "anna@example.com", "020 7946 0000", "", "", "", " ")


def test_a_person_and_a_number_count_once() -> None:
    found = answers(
        ["", "anna@example.com", "020 7946 0000"],
        ["", "ANNA@example.com", "020 7946 0001"],
        ["", "ben@example.com", "+44 20 7946 0000"],
        ["", "carla@example.com", "020 7946 0001"],
    )
    refused = {each.row: each.reasons for each in found if isinstance(each, Refused)}
    assert refused == {
        3: ("userPrincipalName is in row 2 already",),
        4: ("number +44…0000 is in row 2 already",),
    }


def test_a_row_that_is_refused_takes_nothing() -> None:
    found = answers(
        ["", "anna@example.com", "020 7946 0000", "No Name"],
        ["", "anna@example.com", "020 7946 0000", "office"],
    )
    assert [type(each) for each in found] == [Refused, Drafted]


def test_what_the_folder_declares_is_not_declared_again() -> None:
    seen = known([("TeamsUser sales/anna-example-com", "anna@example.com", "+442079460000")])
    found = answers(
        ["", "anna@example.com", "020 7946 0001"],
        ["", "ben@example.com", "020 7946 0000"],
        ["", "anna-example@com", "020 7946 0002"],
        seen=seen,
    )
    assert [isinstance(each, Refused) for each in found] == [True, True, False]
    assert "is in TeamsUser sales/anna-example-com already" in str(found[0])
    assert isinstance(found[2], Drafted)
    assert found[2].body["metadata"]["name"].startswith("anna-example-com-")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not FIELD=HEADER"),
        ("number=DDI", "userPrincipalName must be named"),
        ("userPrincipalName=A,number=B,number=C", "number is named twice"),
        ("userPrincipalName=A,number=B,town=C", "'town=C' is not FIELD=HEADER"),
        ("userPrincipalName=A,number=B,policy.a b=C", "is not FIELD=HEADER"),
    ],
)
def test_a_mapping_that_cannot_be_read_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadColumns, match=why):
        Columns.parse(text)


def test_a_header_says_everything_that_it_lacks() -> None:
    with pytest.raises(BadColumns, match=r"'Mail' is there twice, 'DDI' is missing, .*Site"):
        list(drafts([["Mail", "Mail", "P"]], COLUMNS, TARGET, Seen()))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_rows_are_told_apart_by_what_the_header_has(delimiter: str) -> None:
    lines = [delimiter.join(("Mail", "DDI")) + "\r\n", delimiter.join(("a@b", '"0 1"')) + "\r\n"]
    assert list(rows(lines)) == [["Mail", "DDI"], ["a@b", "0 1"]]


def test_a_row_with_a_stray_quote_is_refused_and_the_next_one_is_read() -> None:
    found = list(rows(["Mail,DDI\n", '"a"b,1\n', "c,2\n", '"open,3\n']))
    assert [type(each) for each in found] == [list, Unreadable, list, Unreadable]
    (refused,) = answers(Unreadable("is no row"))
    assert refused == Refused(2, ("is no row",))


# Memory

ROWS = 100_000
WINDOW = 2
#: Ofcom's numbers for drama, without their last three digits.
DRAMA_BLOCKS = (
    "0113 496 0",
    "0114 496 0",
    "0115 496 0",
    "0116 496 0",
    "0117 496 0",
    "0118 496 0",
    "0121 496 0",
    "0131 496 0",
    "0141 496 0",
    "0151 496 0",
    "0161 496 0",
    "020 7946 0",
    "0191 498 0",
    "01632 960",
)


class Alive:
    """How many rows are, and the most that ever were."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0


class Row(list[str]):
    """A row that says when it comes and goes."""

    def __init__(self, cells: list[str], alive: Alive) -> None:
        super().__init__(cells)
        self._alive = alive
        alive.now += 1
        alive.most = max(alive.most, alive.now)

    def __del__(self) -> None:
        self._alive.now -= 1


Read = Callable[[Iterable[Cells]], Iterable[Drafted | Refused]]


def most_alive(read: Read, count: int) -> int:
    """The most rows that were held at once while a sheet with a person in each was read."""
    alive = Alive()

    def sheet() -> Iterator[Cells]:
        yield HEADER
        for index in range(count):
            # There are not as many numbers that belong to nobody: from the thousandth row of a
            # block on, numbers come again, and their rows are refused.
            block, offset = DRAMA_BLOCKS[index % len(DRAMA_BLOCKS)], index // len(DRAMA_BLOCKS)
            yield Row(["", f"person{index}@example.com", f"{block}{offset % 1000:03}"], alive)

    answered = [0, 0]
    for each in read(sheet()):
        answered[isinstance(each, Drafted)] += 1
    drafted = min(count, 1000 * len(DRAMA_BLOCKS))
    assert answered == [count - drafted, drafted]
    return alive.most


def streaming(found: Iterable[Cells]) -> Iterable[Drafted | Refused]:
    return drafts(found, COLUMNS, TARGET, Seen())


def hoarding(found: Iterable[Cells]) -> Iterable[Drafted | Refused]:
    return drafts(list(found), COLUMNS, TARGET, Seen())


def test_a_hundred_thousand_rows_are_never_held_at_once() -> None:
    assert most_alive(streaming, ROWS) <= WINDOW


def test_a_reader_that_holds_its_rows_is_noticed() -> None:
    assert most_alive(hoarding, 100) > WINDOW
