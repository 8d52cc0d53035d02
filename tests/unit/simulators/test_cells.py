"""A row remembers what it was."""

from __future__ import annotations

from callplane.simulators.cells import KEPT_VERSIONS, Cell


def test_a_reader_sees_the_version_of_its_time() -> None:
    cell: Cell[str] = Cell("a")
    cell.put("b", 10.0)
    cell.put(None, 20.0)

    assert [cell.seen_at(at) for at in (5.0, 10.0, 19.9, 20.0)] == ["a", "b", "b", None]
    assert cell.current is None


def test_what_was_created_later_is_not_there_yet() -> None:
    cell = Cell("a", since=10.0)

    assert (cell.seen_at(9.0), cell.seen_at(10.0)) == (None, "a")


def test_a_reader_too_far_behind_sees_the_oldest_version_kept() -> None:
    cell: Cell[int] = Cell(0)
    for version in range(1, KEPT_VERSIONS + 3):
        cell.put(version, float(version))

    assert cell.seen_at(0.5) == 2
