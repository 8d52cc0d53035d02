"""A spreadsheet as manifests: one row in, one manifest or the reasons why not out.

`callplane import --csv` calls `drafts` with rows as they come from the file. Rows are looked at one
by one and let go: of each, only who and which number it was is remembered, to find it again when it
comes twice.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from callplane.apis import fields
from callplane.apis.model import API_VERSION
from callplane.apis.parsing import parse_strict
from callplane.desired.sheet_kinds import EMAIL, NUMBER, TEAMS_PEOPLE, USER, SheetKind
from callplane.errors import CallplaneError
from callplane.numbering import plan_table
from callplane.values import E164

_DELIMITERS = (",", ";", "\t")
#: A spreadsheet program takes a cell that begins so for a formula.
_FORMULA_STARTS = ("=", "+", "-", "@")
_SEPARATORS = re.compile("[ \u00a0\u202f().-]")


@dataclass(frozen=True, slots=True)
class _Dialling:
    """How numbers are written inside a country: `trunk` stands before a national number and is no
    part of it abroad, `abroad` before a number of another country. `is_optional` where the trunk
    prefix may be left out, `length` is then that of a national number.
    """

    trunk: str
    abroad: str
    is_optional: bool = False
    length: int = 0


_DIALLING = {"GB": _Dialling("0", "00"), "US": _Dialling("1", "011", True, 10)}
_ROUNDED = re.compile(r"[0-9](?:[.,][0-9]+)?[eE]\+?[0-9]+\Z")
_NO_NAME = re.compile(r"[^a-z0-9]+")
_DIGEST_BYTES = 8
_NAME_LENGTH_MAX = 200
_SHOWN_MAX = 40


class BadColumns(CallplaneError):
    """A column mapping that cannot be read, or that the header does not meet."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The header of the column that each field is in."""

    headers: Mapping[str, str]

    @classmethod
    def parse(cls, text: str, kind: SheetKind = TEAMS_PEOPLE) -> Columns:
        """Read `userPrincipalName=Mail,number=DDI,policy.TeamsCallingPolicy=Calling`."""
        headers: dict[str, str] = {}
        for part in text.split(","):
            name, separator, header = (piece.strip() for piece in part.partition("="))
            if not separator or not header or not kind.has_field(name):
                raise BadColumns(
                    f"--columns: {part.strip()!r} is not FIELD=HEADER with a field of "
                    f"{kind.field_names}"
                )
            if name in headers:
                raise BadColumns(f"--columns: {name} is named twice")
            headers[name] = header
        missing = [name for name in kind.required if name not in headers]
        if missing:
            raise BadColumns(f"--columns: {' and '.join(missing)} must be named")
        return cls(headers)

    def positions(self, header: Sequence[str]) -> dict[str, int]:
        """Where each field is. Raises BadColumns with everything that the header lacks."""
        named = [cell.strip() for cell in header]
        wrong = [
            f"{wanted!r} {'is there twice' if wanted in named else 'is missing'}"
            for wanted in self.headers.values()
            if named.count(wanted) != 1
        ]
        if wrong:
            shown = ", ".join(repr(cell[:_SHOWN_MAX]) for cell in named)
            raise BadColumns(f"row 1: column {', '.join(wrong)}; the columns are {shown}")
        return {name: named.index(wanted) for name, wanted in self.headers.items()}


@dataclass(frozen=True, slots=True)
class Target:
    """What every row of the sheet has in common: namespace, connection, country of the numbers.

    Without `country` only numbers in E.164 are read.
    """

    namespace: str
    connection_namespace: str
    connection_name: str
    country: str = ""
    kind: SheetKind = TEAMS_PEOPLE


@dataclass(slots=True)
class Seen:
    """Who and what is taken already, by whom: an earlier row, or an object of the folder."""

    people: dict[int, str] = field(default_factory=dict)
    numbers: dict[int, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    spans: Container[E164] = ()

    def take(self, user: str, number: E164, by: str, *, subject: str = USER) -> list[str]:
        """The reasons why not; without any, both are taken from now on. `subject` is the field that
        `user` is from; `spans` holds numbers of ranges.
        """
        holder_of_number = self.numbers.get(number.digits)
        if holder_of_number is None and number in self.spans:
            holder_of_number = "a NumberRange"
        reasons = [
            f"{what} is in {holder} already"
            for what, holder in (
                (subject, self.people.get(_digest(user)) if subject != NUMBER else None),
                (f"{NUMBER} {number.masked}", holder_of_number),
            )
            if holder is not None
        ]
        if not reasons:
            self.people[_digest(user)] = by
            self.numbers[number.digits] = by
        return reasons


@dataclass(frozen=True, slots=True)
class Drafted:
    """A row that became a manifest; the header is row 1."""

    row: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that did not, with every reason."""

    row: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that is no row of a CSV file."""

    reason: str


Cells = Sequence[str] | Unreadable


def rows(lines: Iterable[str]) -> Iterator[Cells]:
    """The rows of a file, header first. Comma, semicolon or tab: whichever the header has most."""
    iterator = iter(lines)
    first = next(iterator, "")
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(_after(first, iterator), delimiter=delimiter, strict=True)
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield Unreadable(f"is no row of a CSV file: {error}")
            continue
        if row is None:
            return
        yield row


def _after(first: str, others: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
    yield from others


def drafts(
    found: Iterable[Cells], columns: Columns, target: Target, seen: Seen
) -> Iterator[Drafted | Refused]:
    """One answer for each row that is not empty. Raises BadColumns for the header."""
    iterator = iter(found)
    header = next(iterator, ())
    if isinstance(header, Unreadable):
        raise BadColumns(f"row 1: {header.reason}")
    positions = columns.positions(header)
    for number, cells in enumerate(iterator, start=2):
        if isinstance(cells, Unreadable):
            yield Refused(number, (cells.reason,))
        elif any(cell.strip() for cell in cells):
            surplus = [cell for cell in cells[len(header) :] if cell.strip()]
            if surplus:
                reason = f"has {len(cells)} cells, and the header has {len(header)} columns"
                yield Refused(number, (reason,))
            else:
                yield _row(number, _picked(cells, positions), target, seen)


def _picked(cells: Sequence[str], positions: Mapping[str, int]) -> dict[str, str]:
    return {
        name: cells[position].strip() if position < len(cells) else ""
        for name, position in positions.items()
    }


def _row(row: int, cells: Mapping[str, str], target: Target, seen: Seen) -> Drafted | Refused:
    kind = target.kind
    reasons = [
        reason
        for name, text in cells.items()
        if (reason := _objection(name, text, kind)) is not None
    ]
    number: E164 | None = None
    if not any(reason.startswith(NUMBER) for reason in reasons):
        try:
            number = read_number(cells[NUMBER], country=target.country)
        except ValueError as error:
            reasons.append(f"{NUMBER} {error}")
    if reasons or number is None:
        return Refused(row, tuple(reasons))
    user = number.text if kind.subject == NUMBER else cells[kind.subject].lower()
    body = _body(number, cells, target)
    errors = [str(error) for error in parse_strict(body).errors]
    reasons = errors or seen.take(user, number, f"row {row}", subject=kind.subject)
    if reasons:
        return Refused(row, tuple(reasons))
    body["metadata"]["name"] = _name(f"number-{user[1:]}" if kind.subject == NUMBER else user, seen)
    return Drafted(row, body)


def _objection(name: str, text: str, kind: SheetKind) -> str | None:
    """What is wrong with a cell by itself."""
    if not text.replace("\u00a0", " ").replace("\u202f", " ").isprintable():
        return f"{name} holds characters that cannot be printed"
    if name in kind.required and not text:
        return f"{name} is empty"
    is_number = name == NUMBER and text.startswith("+")
    if text.startswith(_FORMULA_STARTS) and not is_number:
        return f"{name} begins like a formula: {text[:_SHOWN_MAX]!r}"
    what = {USER: "user principal name", EMAIL: "address"}.get(name)
    if what is not None and not re.fullmatch(fields.USER_NAME_PATTERN, text):
        return f"{name} is no {what}: {text[:_SHOWN_MAX]!r}"
    return None


def read_number(text: str, *, country: str) -> E164:
    """A number as people write it. Raises ValueError with the end of a sentence.

    >>> read_number("020 7946 0000", country="GB").text
    '+442079460000'
    """
    shown = repr(text[:_SHOWN_MAX])
    if _ROUNDED.match(text):
        raise ValueError(f"was rounded by a spreadsheet program: {shown}")
    digits = _SEPARATORS.sub("", text.removeprefix("'").replace("(0)", ""))
    if not re.fullmatch(r"\+?[0-9]+", digits):
        raise ValueError(f"is no telephone number: {shown}")
    number = _international(digits, shown, country)
    plan = next((each for each in plan_table.PLANS.values() if each.covers(number)), None)
    if plan is None:
        known = ", ".join(sorted(plan_table.PLANS))
        raise ValueError(f"{number.masked} is of a country without a number plan here ({known})")
    if objection := plan.objection(number):
        raise ValueError(f"{number.masked} {objection}")
    return number


def _international(digits: str, shown: str, country: str) -> E164:
    text = digits if digits.startswith("+") else _as_dialled(digits, shown, country)
    try:
        return E164(text)
    except ValueError:
        raise ValueError(f"has too few or too many digits: {shown}") from None


def _as_dialled(digits: str, shown: str, country: str) -> str:
    """What was written without a plus, as it is written with one."""
    plan, dialling = plan_table.plan_of(country), _DIALLING.get(country)
    if plan is None or dialling is None:
        raise ValueError(f"has no + in front, and no --country says how to read it: {shown}")
    if digits.startswith(dialling.abroad):
        return f"+{digits.removeprefix(dialling.abroad)}"
    if dialling.is_optional and len(digits) == dialling.length:
        return f"+{plan.calling_code}{digits}"
    if digits.startswith(dialling.trunk):
        return f"+{plan.calling_code}{digits.removeprefix(dialling.trunk)}"
    if digits.startswith(plan.calling_code):
        return f"+{digits}"
    raise ValueError(f"begins neither with + nor with {dialling.trunk}: {shown}")


def _body(number: E164, cells: Mapping[str, str], target: Target) -> dict[str, Any]:
    reference = {"name": target.connection_name}
    if target.connection_namespace != target.namespace:
        reference["namespace"] = target.connection_namespace
    # The real name comes last, for only a row that is good takes one.
    metadata = {"name": "row", "namespace": target.namespace}
    return {
        "apiVersion": API_VERSION,
        "kind": target.kind.kind,
        "metadata": metadata,
        "spec": target.kind.spec(cells, number, reference),
    }


def _name(user: str, seen: Seen) -> str:
    """The user name with dashes; with a digest where two user names differ in nothing else."""
    name = _NO_NAME.sub("-", user)[:_NAME_LENGTH_MAX].strip("-") or "user"
    if name in seen.names:
        name = f"{name}-{_digest(user):016x}"
    seen.names.add(name)
    return name


def _digest(text: str) -> int:
    """Remembering a number in place of a text keeps a hundred thousand rows small."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest())


def known(people: Iterable[tuple[str, str, str | None]], *, spans: Container[E164] = ()) -> Seen:
    """What objects of a folder have taken: (object, person, number or None), and the numbers of
    ranges.
    """
    seen = Seen(spans=spans)
    for label, person, number in people:
        seen.people[_digest(person)] = label
        seen.names.add(label.rpartition("/")[2])
        if number is not None:
            seen.numbers[E164(number).digits] = label
    return seen
