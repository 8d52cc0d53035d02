"""Counting writes from the audit log of an API server."""

from __future__ import annotations

import json
from pathlib import Path

from callplane.testing import audit_log
from callplane.testing.audit_log import Write


def event(verb: str, *, code: int = 200, subresource: str = "") -> str:
    return json.dumps(
        {
            "verb": verb,
            "user": {"username": "callplane"},
            "userAgent": "callplane/0.1 (linux)",
            "objectRef": {"resource": "teamsusers", "subresource": subresource},
            "responseStatus": {"code": code},
        }
    )


def test_accepted_writes_count_and_reads_and_refusals_do_not(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    lines = [
        event("create", code=201),
        event("patch", subresource="status"),
        event("patch", subresource="status"),
        event("get"),
        event("watch"),
        event("update", code=409),
        json.dumps({"verb": "create", "user": {}, "responseStatus": {"code": 200}}),
    ]
    log.write_text("\n".join(lines) + "\n")
    assert audit_log.writes(log) == {
        Write("callplane", "callplane/0.1", "create", "teamsusers"): 1,
        Write("callplane", "callplane/0.1", "patch", "teamsusers/status"): 2,
    }


def test_a_line_that_the_server_is_writing_is_not_read_yet(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    whole = event("create", code=201) + "\n"
    log.write_text(whole + event("create", code=201)[:40])
    assert sum(audit_log.writes(log).values()) == 1
    log.write_text(whole * 2)
    assert sum(audit_log.writes(log).values()) == 2
