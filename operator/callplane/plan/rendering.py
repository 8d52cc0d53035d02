"""A plan in words: plain text for a terminal, Markdown for a pull request. Pure.

One line a change, aligned, so that a plan of thousands still reads like a table. `callplane plan`
and `callplane plan show` print what is made here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from callplane.plan.change import Change, Operation
from callplane.plan.document import (
    RESTS,
    GateForecast,
    Level,
    ObjectPlan,
    Plan,
    PlannedChange,
)
from callplane.resources.webex import COMPANIONS

#: What forges accept as one comment is 65,536 characters; some is left for what they add.
MARKDOWN_LIMIT_CHARACTERS = 60_000
_AT_CARRIER = {
    Operation.SET_ROUTE: "route of",
    Operation.SET_EMERGENCY_ADDRESS: "emergency address of",
    Operation.SET_DELETION_LOCK: "lock of",
}
_NOTE_SIGNS = {Level.INFO: "i", Level.WAITS: "?", Level.BLOCKED: "!"}


@dataclass(frozen=True, slots=True)
class ChangeText:
    """A change in words: `sign` is + for something new, - for something taken away, ~ for another
    value.
    """

    sign: str
    what: str
    before: str
    after: str

    @property
    def effect(self) -> str:
        if self.sign == "+":
            return self.after
        if self.sign == "-":
            return self.before
        return f"{self.before} → {self.after}"


def describe(change: Change) -> ChangeText:
    """What one change does."""
    before, after = dict(change.before or {}), dict(change.after or {})
    match change.operation:
        case Operation.ASSIGN_NUMBER:
            place = f", at location {after['location']}" if after.get("location") else ""
            return ChangeText("+", "number", "", _number(after) + place + _companions(after))
        case Operation.UNASSIGN_NUMBER:
            return ChangeText("-", "number", _number(before), "")
        case Operation.SET_LOCATION:
            return _replacing("emergency location", before.get("location"), after.get("location"))
        case Operation.SET_POLICY:
            what = after.get("type") or before.get("type") or "policy"
            with_it = f"{after.get('name') or ''}{_companions(after)}"
            return _replacing(what, before.get("name"), with_it)
        case Operation.ORDER_NUMBER:
            return ChangeText("+", "order", "", after.get("number", ""))
        case Operation.PORT_NUMBER_IN:
            return ChangeText("+", "port in", "", after.get("number", ""))
        case Operation.RELEASE_NUMBER:
            return ChangeText("-", "release to the carrier", before.get("number", ""), "")
        case Operation.SET_ROUTE | Operation.SET_EMERGENCY_ADDRESS | Operation.SET_DELETION_LOCK:
            number = after.get("number") or before.get("number", "")
            what = f"{_AT_CARRIER[change.operation]} {number}"
            return _replacing(what, _flat(before), _flat(after))
        case _:
            return _replacing(change.operation.value, _flat(before), _flat(after))


def _companions(fields: dict[str, str]) -> str:
    """What comes in one request with a number or a licence."""
    named = [f"{field} {fields[field]}" for field in COMPANIONS.values() if field in fields]
    return "".join(f", with {each}" for each in named)


def _flat(fields: dict[str, str]) -> str:
    return ", ".join(f"{name} {text}" for name, text in sorted(fields.items()) if name != "number")


def _number(fields: dict[str, str]) -> str:
    number = fields.get("number") or f"next free of {fields.get('range', 'its range')}"
    return f"{number} ({fields.get('type', '')})"


def _replacing(what: str, before: str | None, after: str | None) -> ChangeText:
    if not before:
        return ChangeText("+", what, "", after or "")
    if not after:
        return ChangeText("-", what, before, "")
    return ChangeText("~", what, before, after)


def text(plan: Plan, *, content_hash: str, age_warning: str = "") -> str:
    """Plain text. `age_warning`, if any, is the first line."""
    lines = [age_warning] if age_warning else []
    lines.append(summary(plan))
    lines.append(_provenance(plan))
    lines.extend(f"! {remark}" for remark in plan.remarks)
    for connection, objects in groupby(plan.objects, key=lambda each: str(each.connection or "")):
        lines.extend(["", connection or "without a connection"])
        lines.extend(_object_lines(list(objects)))
    for gate in plan.gates:
        if gate.change_ids:
            lines.extend(["", *_gate_lines(gate)])
    lines.extend(["", f"plan {content_hash}"])
    return "\n".join(lines) + "\n"


def summary(plan: Plan) -> str:
    """The plan in one line."""
    removed = sum(each.removed for each in plan.objects)
    parts = [
        _count(sum(1 for _ in plan.changes()), "change"),
        f"{sum(each.has_changes for each in plan.objects):,} of "
        + _count(plan.unchanged + len(plan.objects), "object"),
    ]
    if removed:
        parts.append(f"{removed:,} removed")
    for word, count in (
        ("blocked", sum(each.is_blocked for each in plan.objects)),
        ("waiting", sum(each.is_waiting for each in plan.objects)),
    ):
        if count:
            parts.append(f"{count:,} {word}")
    if plan.is_held:
        parts.append("held for an approval")
    return f"Plan: {parts[0]} on {', '.join(parts[1:])}"


def _provenance(plan: Plan) -> str:
    observed = f"Observed {plan.observed_at:%Y-%m-%d %H:%M:%S} UTC by {plan.observed_by}"
    deletions = f"deletions since {plan.base}" if plan.base else "without deletions (no --base)"
    return f"{observed}; {deletions}"


def _object_lines(objects: Sequence[ObjectPlan]) -> Iterator[str]:
    rows = [row for each in objects for row in _rows(each)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)] if rows else []
    for sign, name, what, effect in rows:
        cells = [cell.ljust(width) for cell, width in zip((sign, name, what), widths, strict=True)]
        yield f"  {'  '.join([*cells, effect])}".rstrip()


def _rows(each: ObjectPlan) -> Iterator[tuple[str, str, str, str]]:
    name = f"{each.key.namespace}/{each.key.name}"
    if each.key.kind != "TeamsUser":
        name = f"{each.key.kind} {name}"
    if each.removed:
        name += " (removed)"
    rest = "".join(f", {note.message}" for note in each.notes if note.reason == RESTS)
    for planned in each.changes:
        change = describe(planned.change)
        what = change.what if each.written else f"{change.what} (not written)"
        gives_up = planned.change.operation is Operation.UNASSIGN_NUMBER
        yield change.sign, name, what, change.effect + rest * gives_up + _marks(planned)
        name = ""
    for note in each.notes:
        if rest and note.reason == RESTS:
            continue
        yield _NOTE_SIGNS[note.level], name, note.reason or "note", note.message
        name = ""


def _marks(planned: PlannedChange) -> str:
    marks = [
        word
        for word, holds in (
            ("gated", planned.gated),
            ("irreversible", planned.change.irreversible),
            ("drift", planned.change.cause.value == "drift"),
        )
        if holds
    ]
    return f"  [{', '.join(marks)}]" if marks else ""


def _gate_lines(gate: GateForecast) -> Iterator[str]:
    yield f"Gate of {gate.connection}: {_verdict(gate)}"
    yield f"  {_limits(gate)}"
    if gate.held:
        yield f"  digest {gate.digest}"
        yield "  To approve in this pull request: callplane plan … --approval FILE, and commit FILE"


def _verdict(gate: GateForecast) -> str:
    gated = _count(len(gate.change_ids), "gated change")
    if gate.held:
        return f"{gated}, {len(gate.waiting):,} of them held for an approval"
    return f"{gated}, within the limits or approved"


def _limits(gate: GateForecast) -> str:
    limits = gate.limits
    return (
        f"{gate.counted:,} count within {limits.window_seconds / 3600:g} h; held above "
        f"{limits.max_count:,}, or above {limits.floor:,} and {limits.max_percent} % of "
        f"{_count(gate.claims, 'claim')} (also by range)"
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def markdown(plan: Plan, *, content_hash: str, age_warning: str = "") -> str:
    """For a pull request: at most MARKDOWN_LIMIT_CHARACTERS, and a line that says what was left
    out.
    """
    head = [f"> ⚠️ {age_warning}", ""] if age_warning else []
    head += [f"### {summary(plan)}", "", _provenance(plan)]
    head += [line for remark in plan.remarks for line in ("", f"> ⚠️ {_escaped(remark)}")]
    tail = [line for gate in plan.gates if gate.change_ids for line in ("", *_gate_markdown(gate))]
    tail += ["", f"<sub>plan `{content_hash}`</sub>"]
    room = MARKDOWN_LIMIT_CHARACTERS - _length(head) - _length(tail) - 200
    body = list(_tables(plan.objects, room))
    return "\n".join([*head, *body, *tail]) + "\n"


def _length(lines: Iterable[str]) -> int:
    return sum(len(line) + 1 for line in lines)


def _tables(objects: Sequence[ObjectPlan], room: int) -> Iterator[str]:
    """Tables by connection until there is no room left."""
    left_out = 0
    for connection, group in groupby(objects, key=lambda each: str(each.connection or "")):
        header = ["", f"**{connection or 'without a connection'}**", ""]
        header += ["| | object | what | effect |", "|-|-|-|-|"]
        has_header = False
        for each in group:
            lines = [] if has_header else header
            lines = [*lines, *(_table_row(row) for row in _rows(each))]
            if left_out or _length(lines) > room:
                left_out += 1
                continue
            has_header = True
            room -= _length(lines)
            yield from lines
    if left_out:
        yield from ("", f"… and {left_out:,} more objects: run `callplane plan` to see all of them")


def _table_row(row: tuple[str, str, str, str]) -> str:
    sign, name, what, effect = row
    return f"| `{sign}` | {_escaped(name)} | {_escaped(what)} | {_escaped(effect)} |"


def _escaped(cell: str) -> str:
    """Names come from people and systems: nothing in them may become markup or a mention."""
    for character in "\\`*_[]<>|#":
        cell = cell.replace(character, "\\" + character)
    return cell.replace("@", "@\u200b").replace("\n", " ")


def _gate_markdown(gate: GateForecast) -> Iterator[str]:
    sign = "🛑" if gate.held else "✅"
    yield f"{sign} **Gate of {gate.connection}**: {_verdict(gate)}. {_limits(gate)}."
    if gate.held:
        yield ""
        yield f"Digest `{gate.digest}`"
