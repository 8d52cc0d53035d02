"""Counts what was written to an API server, from its audit log.

Benchmarks and end-to-end tests state how many writes an operation may cost; the API server's own
log is the one witness that shares no code with the writer.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WRITE_VERBS = frozenset({"create", "update", "patch", "delete", "deletecollection"})
FIRST_ERROR_CODE = 400


@dataclass(frozen=True, slots=True)
class Write:
    """Who wrote what: user name, first word of the user agent, verb, resource[/subresource]."""

    user: str
    agent: str
    verb: str
    resource: str


def events(file: Path) -> Iterator[dict[str, Any]]:
    """What the log has so far. The server may be in the midst of a line: that one comes later."""
    for line in file.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)


def writes(file: Path) -> Counter[Write]:
    """Count the accepted writes by who and what."""
    counted: Counter[Write] = Counter()
    for event in events(file):
        accepted = event.get("responseStatus", {}).get("code", FIRST_ERROR_CODE) < FIRST_ERROR_CODE
        if event["verb"] in WRITE_VERBS and accepted and "objectRef" in event:
            counted[_write(event)] += 1
    return counted


def _write(event: dict[str, Any]) -> Write:
    reference = event["objectRef"]
    parts = [reference.get("resource", ""), reference.get("subresource", "")]
    return Write(
        user=event["user"].get("username", ""),
        agent=event.get("userAgent", "").partition(" ")[0],
        verb=event["verb"],
        resource="/".join(part for part in parts if part),
    )
