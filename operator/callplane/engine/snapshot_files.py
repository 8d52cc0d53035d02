"""Observations as a file: JSON lines, compressed, one listing after the other.

`callplane snapshot save` writes it and `callplane plan --snapshot` reads it. Rows are lists, in
pieces of a thousand a line, because a plan of ten thousand people must read them in a fraction of a
second. The last line says how many there were, so that a file that was cut off is noticed.
"""

from __future__ import annotations

import gzip
import json
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from callplane.engine import snapshot_carriers, snapshot_platforms, snapshot_register
from callplane.engine.observations import (
    Body,
    CarrierObservation,
    ConnectionObservation,
    Observations,
)
from callplane.errors import CallplaneError
from callplane.store.ports import RegisterState
from callplane.values import ConnectionId, ObjectKey

FORMAT = "callplane-snapshot"
VERSION = 2
#: Files of the version before know no carriers and no services; all else is the same. A reader
#: leaves out lists that it does not know: writes under way are in newer files of this version.
_READABLE = (1, VERSION)
ROWS_A_LINE = 1000
CONNECTION, CARRIER = "connection", "carrier"
_PRIVATE = 0o600
_SPEED_OVER_SIZE = 3


class SnapshotUnreadable(CallplaneError):
    """A file that is no snapshot, of another version, or cut off."""


def save(path: Path, observations: Observations) -> None:
    """Write the file whole or not at all, readable by its owner: it names people and numbers."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with (
            os.fdopen(handle, "wb") as file,
            gzip.GzipFile("", "wb", _SPEED_OVER_SIZE, file, mtime=0) as packed,
        ):
            for line in _lines(observations):
                packed.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        os.chmod(temporary, _PRIVATE)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load(path: Path) -> Observations:
    """Read a file that `save` wrote. Raises SnapshotUnreadable."""
    try:
        lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
        return _observations(lines)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        reason = (error.strerror or str(error)).lower()
        raise SnapshotUnreadable(f"{path}: {reason}") from None
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, IndexError) as error:
        raise SnapshotUnreadable(
            f"{path} is no snapshot that can be read here ({error}); make one with "
            "callplane snapshot save"
        ) from None


# Writing


def _lines(observations: Observations) -> Iterator[dict[str, Any]]:
    lines = 0
    for line in _content(observations):
        lines += 1
        yield line
    yield {"kind": "end", "lines": lines}


def _content(observations: Observations) -> Iterator[dict[str, Any]]:
    yield {
        "kind": "header",
        "format": FORMAT,
        "version": VERSION,
        "takenAt": observations.taken_at.isoformat(),
        "takenBy": observations.taken_by,
        "installation": observations.installation,
        "namespaces": {name: dict(of) for name, of in observations.namespace_labels.items()},
    }
    yield from _pieces("objects", observations.objects)
    for each in observations.connections:
        yield from _connection_lines(each)
    for carrier in observations.carriers:
        yield from _carrier_lines(carrier)


def _head(kind: str, each: ConnectionObservation | CarrierObservation) -> dict[str, Any]:
    register = each.register
    return {
        "kind": kind,
        "object": [each.key.kind, each.key.namespace, each.key.name],
        "provider": each.connection.provider,
        "externalId": each.connection.external_id,
        "sequence": register.sequence if register is not None else None,
    }


def _carrier_lines(each: CarrierObservation) -> Iterator[dict[str, Any]]:
    balance = snapshot_carriers.balance_row(each.balance)
    yield {**_head(CARRIER, each), "balance": balance}
    yield from _pieces("owned", map(snapshot_carriers.number_row, each.numbers))
    yield from _register_lines(each.register)


def _connection_lines(each: ConnectionObservation) -> Iterator[dict[str, Any]]:
    yield _head(CONNECTION, each)
    yield from _pieces("people", map(snapshot_platforms.person_row, each.people))
    yield from _pieces("numbers", map(snapshot_platforms.number_row, each.numbers))
    yield from _pieces(
        "configurations", map(snapshot_platforms.configuration_row, each.configurations)
    )
    yield from _pieces("services", map(snapshot_platforms.person_row, each.services))
    yield from _register_lines(each.register)


def _register_lines(register: RegisterState | None) -> Iterator[dict[str, Any]]:
    if register is not None:
        for kind, rows in snapshot_register.rows(register):
            yield from _pieces(kind, rows)


def _pieces(kind: str, rows: Iterable[Any]) -> Iterator[dict[str, Any]]:
    everything = list(rows)
    for start in range(0, len(everything), ROWS_A_LINE):
        yield {"kind": kind, "rows": everything[start : start + ROWS_A_LINE]}


# Reading


@dataclass(slots=True)
class _Rows:
    """The rows of one connection or carrier as they come in."""

    header: Mapping[str, Any]
    by_kind: dict[str, list[Any]] = field(default_factory=dict)


def _observations(lines: Sequence[Mapping[str, Any]]) -> Observations:
    if not lines or not isinstance(lines[0], dict) or lines[0].get("format") != FORMAT:
        raise ValueError("it has no header of a snapshot")
    header, end = lines[0], lines[-1]
    if header["version"] not in _READABLE:
        raise ValueError(f"it has version {header['version']}, and this reads {VERSION}")
    if end["kind"] != "end" or end["lines"] != len(lines) - 1:
        raise ValueError("it was cut off")
    objects: list[Body] = []
    observed: list[_Rows] = []
    for line in lines[1:-1]:
        if line["kind"] == "objects":
            objects.extend(line["rows"])
        elif line["kind"] in (CONNECTION, CARRIER):
            observed.append(_Rows(line))
        else:
            observed[-1].by_kind.setdefault(line["kind"], []).extend(line["rows"])
    return Observations(
        taken_at=datetime.fromisoformat(header["takenAt"]),
        taken_by=header["takenBy"],
        connections=tuple(
            _connection(rows) for rows in observed if rows.header["kind"] == CONNECTION
        ),
        installation=header["installation"],
        objects=tuple(objects),
        namespace_labels=header["namespaces"],
        carriers=tuple(_carrier(rows) for rows in observed if rows.header["kind"] == CARRIER),
    )


def _connection(rows: _Rows) -> ConnectionObservation:
    connection = ConnectionId(rows.header["provider"], rows.header["externalId"])
    kinds = rows.by_kind
    return ConnectionObservation(
        key=ObjectKey(*rows.header["object"]),
        connection=connection,
        people=tuple(map(snapshot_platforms.person, kinds.get("people", ()))),
        numbers=tuple(map(snapshot_platforms.number, kinds.get("numbers", ()))),
        configurations=tuple(
            map(snapshot_platforms.configuration, kinds.get("configurations", ()))
        ),
        register=_register(rows, connection),
        services=tuple(map(snapshot_platforms.person, kinds.get("services", ()))),
    )


def _carrier(rows: _Rows) -> CarrierObservation:
    connection = ConnectionId(rows.header["provider"], rows.header["externalId"])
    return CarrierObservation(
        key=ObjectKey(*rows.header["object"]),
        connection=connection,
        numbers=tuple(map(snapshot_carriers.number, rows.by_kind.get("owned", ()))),
        balance=snapshot_carriers.balance(rows.header["balance"]),
        register=_register(rows, connection),
    )


def _register(rows: _Rows, connection: ConnectionId) -> RegisterState | None:
    sequence = rows.header["sequence"]
    if sequence is None:
        return None
    return snapshot_register.state(rows.by_kind, connection, sequence)
