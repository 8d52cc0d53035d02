"""Rules on numbers of several objects: a number belongs to one range or one PhoneNumber.

The older object keeps its numbers; the finding is about the younger one and names the older. The
sweep is n log n in the number of spans, so that the controller can run it whenever a range changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from callplane.apis.model import Resource
from callplane.apis.number_ranges import NumberRange
from callplane.apis.phone_numbers import PhoneNumber
from callplane.rules.findings import Finding, Rule, label, precedence
from callplane.values import E164, NumberSpan

NUMBERS_OVERLAP = Rule(
    "numbers-overlap",
    ("NumberRange", "PhoneNumber"),
    "Two objects declare the same number, so its settings would be ambiguous.",
)

RULES = (NUMBERS_OVERLAP,)


@dataclass(frozen=True, slots=True)
class _Owned:
    span: NumberSpan
    owner: Resource


def check(resources: Iterable[Resource]) -> Iterator[Finding]:
    """One finding for each pair of objects that share numbers."""
    seen: set[tuple[str, str]] = set()
    for first, second in _overlapping(_spans(resources)):
        kept, refused = sorted((first.owner, second.owner), key=precedence)
        pair = (label(kept), label(refused))
        if pair in seen:
            continue
        seen.add(pair)
        shared = max(first.span.first, second.span.first)
        path = "spec.e164" if isinstance(refused, PhoneNumber) else _path(refused)
        message = f"shares numbers with {label(kept)}, from {shared.masked} on"
        yield NUMBERS_OVERLAP.finding(refused, path, message)


def _path(refused: Resource) -> str:
    listed = isinstance(refused, NumberRange) and refused.spec.numbers is not None
    return "spec.numbers" if listed else "spec.first"


def _spans(resources: Iterable[Resource]) -> list[_Owned]:
    owned: list[_Owned] = []
    for resource in resources:
        if isinstance(resource, NumberRange):
            owned.extend(_Owned(span, resource) for span in resource.spec.spans)
        elif isinstance(resource, PhoneNumber):
            number = E164(resource.spec.e164)
            owned.append(_Owned(NumberSpan(number, number), resource))
    return sorted(owned, key=lambda entry: (entry.span.first.digits, label(entry.owner)))


def _overlapping(ordered: list[_Owned]) -> Iterator[tuple[_Owned, _Owned]]:
    """Every pair that overlaps, by a sweep over the spans in ascending order of their start."""
    open_spans: list[_Owned] = []
    for entry in ordered:
        open_spans = [
            earlier for earlier in open_spans if earlier.span.last.digits >= entry.span.first.digits
        ]
        for earlier in open_spans:
            if earlier.owner is not entry.owner and earlier.span.overlaps(entry.span):
                yield earlier, entry
        open_spans.append(entry)
