"""The demo's page: what is too long is folded or cut, what is not shown is counted."""

from __future__ import annotations

import pytest

from callplane.sandbox.demo_page import TABLE_WIDTH, WIDTH, Page


@pytest.fixture
def lines() -> list[str]:
    """What was written."""
    return []


@pytest.fixture
def page(lines: list[str]) -> Page:
    """A page without colours."""
    return Page(lines.append, styled=False)


def test_chapters_are_numbered_and_carry_the_time(page: Page, lines: list[str]) -> None:
    page.chapter("First", elapsed_seconds=5.9)
    page.chapter("Second", elapsed_seconds=65.0)
    headings = [line for line in lines if line[:1].isdigit()]
    assert headings[0].startswith("1. First")
    assert headings[0].endswith(" 0:05")
    assert headings[1].startswith("2. Second")
    assert headings[1].endswith(" 1:05")
    assert all(len(heading) == WIDTH for heading in headings)


def test_prose_is_filled_and_a_number_stays_with_its_unit(page: Page, lines: list[str]) -> None:
    text = "x" * (WIDTH - 3) + " 5 s and more"
    page.prose(text)
    assert lines[0].splitlines() == ["x" * (WIDTH - 3), "5 s and more"]
    assert "\N{NO-BREAK SPACE}" not in "".join(lines)


def test_many_lines_are_counted_and_one_too_many_is_shown(page: Page, lines: list[str]) -> None:
    page.output("a\nb\nc\nd", rows=2)
    assert lines == ["    a", "    b", "    … and 2 more"]
    lines.clear()
    page.output("a\nb\nc", rows=2)
    assert lines == ["    a", "    b", "    c"]


def test_a_table_is_cut_and_a_sentence_goes_on(page: Page, lines: list[str]) -> None:
    page.output("NAME   " + "y" * TABLE_WIDTH)
    assert [len(line) for line in lines] == [TABLE_WIDTH]
    assert lines[0].endswith("…")
    lines.clear()
    page.output(" ".join(["word"] * 40))
    assert len(lines) == 3
    assert all(len(line) <= WIDTH for line in lines)


def test_colours_only_where_they_are_wanted(lines: list[str]) -> None:
    Page(lines.append, styled=True).proven("done")
    assert "\x1b[32mok\x1b[0m" in lines[0]
    lines.clear()
    Page(lines.append, styled=False).proven("done")
    assert lines == ["ok  done"]
