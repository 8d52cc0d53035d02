"""The record keeps what was asked and what changed."""

from __future__ import annotations

import dataclasses

from callplane.simulators.recording import ChangeLog, Entry, Outcome, Recorder

READ = Entry(
    sequence=1,
    at=0.0,
    answered_at=0.0,
    tenant="t",
    who="me",
    kind="getUser",
    method="GET",
    path="/",
    status=200,
    outcome=Outcome.ANSWERED,
    is_write=False,
    committed=False,
    subject="",
    request_id="",
)
WRITE = dataclasses.replace(READ, sequence=2, kind="assignNumber", is_write=True, committed=True)


def test_writes_and_reads_are_told_apart_and_counted() -> None:
    recorder = Recorder()
    for entry in (READ, WRITE, dataclasses.replace(WRITE, sequence=3, tenant="u")):
        recorder.add(entry)

    assert [entry.sequence for entry in recorder.writes()] == [2, 3]
    assert [entry.sequence for entry in recorder.writes(tenant="u")] == [3]
    assert [entry.sequence for entry in recorder.requests(since=1, kind="assignNumber")] == [2, 3]
    assert recorder.counters("t") == {
        "reads": 1,
        "writes": 1,
        "committed_writes": 1,
        "by_kind": {"assignNumber": {"answered": 1}, "getUser": {"answered": 1}},
    }


def test_a_measurement_starts_anew_but_sequence_numbers_go_on() -> None:
    recorder = Recorder()
    assert recorder.next_sequence() == 1
    recorder.add(WRITE)
    recorder.clear()

    assert recorder.writes() == []
    assert recorder.counters()["writes"] == 0
    assert recorder.next_sequence() == 2


def test_an_entry_is_plain_json() -> None:
    assert WRITE.document()["outcome"] == "answered"


def test_changes_are_numbered() -> None:
    log = ChangeLog()
    log.add(1.0, "n", aspect="holder", values=(None, "a"), by="portal")
    log.add(2.0, "n", aspect="holder", values=("a", None), by="me")

    assert [(c.sequence, c.before, c.after, c.by) for c in log.changes] == [
        (1, None, "a", "portal"),
        (2, "a", None, "me"),
    ]
