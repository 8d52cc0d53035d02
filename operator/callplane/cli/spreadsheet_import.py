"""A spreadsheet on its way from a CSV file to manifests, row by row: `import --csv`."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import yaml

from callplane.apis.model import Resource
from callplane.apis.phone_numbers import PhoneNumber
from callplane.cli import importing, manifests
from callplane.desired import spreadsheets
from callplane.desired.brownfield import DeclaredNumbers
from callplane.desired.declarations import is_person, person_key
from callplane.desired.sheet_kinds import NUMBER, SheetKind
from callplane.desired.spreadsheets import Columns, Drafted, Refused, Seen, Target
from callplane.errors import CallplaneError

_CHUNK_BYTES = 1 << 16
#: Objects in one file: few enough to be looked at, and for git to show a change of.
PEOPLE_A_FILE = 1000


@dataclass(frozen=True, slots=True)
class Sheet:
    """The file, how it is read, and the folder of the import."""

    file: Path
    columns: Columns
    target: Target
    into: Path


@dataclass(frozen=True, slots=True)
class Counts:
    written: int
    refused: int


def run(sheet: Sheet, report: Callable[[Refused], None]) -> Counts:
    """Write the good rows and report the others as they come. On an error nothing is left.

    Raises CallplaneError.
    """
    check_encoding(sheet.file)
    kind = sheet.target.kind
    seen = _seen(sheet.into, kind)
    folder = sheet.into / sheet.target.connection_name / kind.folder
    writer = _Writer(folder, sheet.file.stem.lstrip(".") or "sheet")
    refused = 0
    try:
        for answer in _answers(sheet, seen):
            if isinstance(answer, Drafted):
                writer.add(answer)
            else:
                refused += 1
                report(answer)
        writer.close()
    except BaseException as error:
        writer.undo()
        if isinstance(error, OSError):
            reason = (error.strerror or str(error)).lower()
            where = error.filename or sheet.into
            raise CallplaneError(f"{where}: {reason}; nothing was written") from None
        raise
    return Counts(writer.written, refused)


def check_encoding(path: Path) -> None:
    """Raises CallplaneError with the place of the first byte that is no UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    place = line = 0
    try:
        with path.open("rb") as file:
            while True:
                chunk = file.read(_CHUNK_BYTES)
                if place == 0 and chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                    raise CallplaneError(f"{path}: is in UTF-16; save it as CSV in UTF-8")
                pending = len(decoder.getstate()[0])
                try:
                    decoder.decode(chunk, final=not chunk)
                except UnicodeDecodeError as error:
                    line += error.object[: error.start].count(b"\n") + 1
                    at = place - pending + error.start
                    raise CallplaneError(
                        f"{path}: byte {at} (line {line}) is no UTF-8: "
                        f"0x{error.object[error.start]:02x}; save it as CSV in UTF-8"
                    ) from None
                if not chunk:
                    return
                place += len(chunk)
                line += chunk.count(b"\n")
    except OSError as error:
        raise CallplaneError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def _answers(sheet: Sheet, seen: Seen) -> Iterator[Drafted | Refused]:
    # The first three bytes may be a byte order mark, which is no part of the first header.
    with sheet.file.open(encoding="utf-8-sig", newline="") as lines:
        yield from spreadsheets.drafts(spreadsheets.rows(lines), sheet.columns, sheet.target, seen)


def _seen(folder: Path, kind: SheetKind) -> Seen:
    """Who and which numbers the folder declares already: people for a sheet of people, whatever
    platform they are on, numbers and ranges for a sheet of numbers.
    """
    tree = manifests.of_files(
        manifests.files([str(folder)]) if folder.is_dir() else (), namespace="default"
    )
    if tree.broken:
        raise CallplaneError(f"{tree.broken[0]}; put {folder} in order before importing into it")
    if kind.subject == NUMBER:
        numbers = [each for each in tree.resources if isinstance(each, PhoneNumber)]
        return spreadsheets.known(
            ((_label(each), each.spec.e164, each.spec.e164) for each in numbers),
            spans=DeclaredNumbers(tree.resources),
        )
    return spreadsheets.known(
        (
            _label(each),
            person_key(each) if each.kind == kind.kind else _label(each),
            each.spec.phone_number.e164 if each.spec.phone_number else None,
        )
        for each in tree.resources
        if is_person(each)
    )


def _label(resource: Resource) -> str:
    return f"{resource.kind} {resource.namespace}/{resource.name}"


class _Writer:
    """Files of a thousand objects each, written one at a time; none is ever replaced."""

    def __init__(self, folder: Path, stem: str) -> None:
        self._folder = folder
        self._stem = stem
        self._made: list[Path] = []
        self._file: BinaryIO | None = None
        self.written = 0

    def add(self, drafted: Drafted) -> None:
        if self.written % PEOPLE_A_FILE == 0:
            self._next_file()
        assert self._file is not None
        if self.written % PEOPLE_A_FILE:
            self._file.write(b"---\n")
        text = yaml.dump(drafted.body, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)
        self._file.write(str(text).encode())
        self.written += 1

    def _next_file(self) -> None:
        self.close()
        path = self._folder / f"{self._stem}-{self.written // PEOPLE_A_FILE + 1:03}.yaml"
        importing.make_folder(self._folder, self._made)
        try:
            self._file = path.open("xb")
        except FileExistsError:
            raise CallplaneError(
                f"{path} would be replaced, so nothing was written; move it away, or import into "
                "another folder"
            ) from None
        self._made.append(path)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def undo(self) -> None:
        """Take away what was written so far."""
        with suppress(OSError):
            self.close()
        importing.take_away(self._made)
