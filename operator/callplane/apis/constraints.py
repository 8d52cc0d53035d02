"""Rules that one object shows by itself, stated once: as CEL for the CRD and as Python for files.

Each kind lists its constraints as data. The CRD generator writes their CEL form, so that the API
server refuses at admission; `parsing` runs their Python form, so that `callplane validate` finds
the same faults in a file with no cluster at hand. The conformance tests hold the two together.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from pydantic.alias_generators import to_camel

from callplane.apis import fields

if TYPE_CHECKING:
    from callplane.apis.model import Model

Check = Callable[[Any], bool]
TransitionCheck = Callable[[Any, Any], bool]


@dataclass(frozen=True, slots=True)
class Constraint:
    """One rule of one model.

    `cel` is empty when the schema itself already says it to the API server (list types). `check`
    sees the new value; `transition` sees old and new value. `field_path` is relative, as in
    `.tenantRef`; empty means the model itself. `alternatives` are the property groups of a union.
    """

    cel: str
    message: str
    field_path: str = ""
    check: Check | None = None
    transition: TransitionCheck | None = None
    alternatives: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field; `path` as the API server writes it: `spec.policies[1].type`."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


def exactly_one(*attributes: str) -> Constraint:
    """A union: one of the fields is set, and only one."""
    names = [to_camel(attribute) for attribute in attributes]
    members = ", ".join(f"has(self.{name})" for name in names)
    if len(names) == 2:
        cel = f"has(self.{names[0]}) != has(self.{names[1]})"
    else:
        cel = f"[{members}].filter(x, x).size() == 1"
    return Constraint(
        cel=cel,
        message=f"exactly one of {', '.join(names[:-1])} or {names[-1]} must be set",
        check=lambda model: sum(getattr(model, name) is not None for name in attributes) == 1,
        alternatives=tuple((name,) for name in names),
    )


def set_once(attribute: str) -> Constraint:
    """An optional field that may be added later and then keeps its value."""
    name = to_camel(attribute)
    return Constraint(
        cel=f"!has(oldSelf.{name}) || (has(self.{name}) && self.{name} == oldSelf.{name})",
        message=f"{name} cannot be changed once it is set; delete the object and create it anew",
        field_path=f".{name}",
        transition=lambda old, new: (
            getattr(old, attribute) is None or getattr(new, attribute) == getattr(old, attribute)
        ),
    )


def immutable(attribute: str, *, optional: bool = False) -> Constraint:
    """A field that keeps its first value; an optional one is neither added nor removed later."""
    name = to_camel(attribute)
    same = f"self.{name} == oldSelf.{name}"
    if optional:
        same = f"has(self.{name}) == has(oldSelf.{name}) && (!has(self.{name}) || {same})"
    return Constraint(
        cel=same,
        message=f"{name} cannot be changed; delete the object and create it anew",
        field_path=f".{name}",
        transition=lambda old, new: bool(getattr(old, attribute) == getattr(new, attribute)),
    )


def immutable_whole(message: str) -> Constraint:
    """The model as a whole keeps its first value."""
    return Constraint(
        cel="self == oldSelf", message=message, transition=lambda old, new: bool(old == new)
    )


def unique_entries(attribute: str, *, key: str | None = None) -> Constraint:
    """The Python half of `list-map` (entries with one `key`) and `list-set` (whole entries)."""
    name = to_camel(attribute)

    def distinct(model: Any) -> bool:
        entries: Iterable[Any] = getattr(model, attribute) or ()
        keys = Counter(getattr(entry, key) if key else entry for entry in entries)
        return not keys or keys.most_common(1)[0][1] == 1

    what = f"two entries have the same {to_camel(key)}" if key else "an entry is repeated"
    return Constraint(cel="", message=what, field_path=f".{name}", check=distinct)


def well_formed_keys(attribute: str) -> Constraint:
    """The keys of a map of tags or labels; the schema itself can bound only the values."""
    name = to_camel(attribute)
    return Constraint(
        cel=(
            f"!has(self.{name}) || self.{name}.all(key,"
            f" size(key) <= 253 && key.matches('{fields.TAG_KEY_PATTERN}'))"
        ),
        message="keys must start and end with a letter or digit, with - _ . / between",
        field_path=f".{name}",
        check=lambda model: all(
            len(key) <= 253 and re.fullmatch(fields.TAG_KEY_PATTERN, key)
            for key in getattr(model, attribute)
        ),
    )


def violations(model: Model, *, path: str = "") -> Iterator[FieldError]:
    """Every broken rule of `model` and of the models in it, outermost first."""
    for constraint in type(model).invariants:
        if constraint.check is not None and not constraint.check(model):
            yield FieldError(path + constraint.field_path, constraint.message)
    for attribute, alias in _constrained_fields(type(model)):
        value = getattr(model, attribute)
        child_path = f"{path}.{alias}" if path else alias
        if isinstance(value, tuple):
            for index, entry in enumerate(value):
                yield from violations(entry, path=f"{child_path}[{index}]")
        elif value is not None:
            yield from violations(value, path=child_path)


def union_violations(model: type[Model], raw: Any, *, path: str = "") -> Iterator[FieldError]:
    """Broken unions of a manifest whose fields are not valid either: all reasons come at once."""
    if not isinstance(raw, Mapping):
        return
    for constraint in model.invariants:
        groups = constraint.alternatives
        present = {name for group in groups for name in group if raw.get(name) is not None}
        if groups and present not in [set(group) for group in groups]:
            yield FieldError(path + constraint.field_path, constraint.message)
    for attribute, alias in _constrained_fields(model):
        value = raw.get(alias)
        child_path = f"{path}.{alias}" if path else alias
        for inner in models_in(model.model_fields[attribute].annotation):
            if isinstance(value, Sequence) and not isinstance(value, str):
                for index, entry in enumerate(value):
                    yield from union_violations(inner, entry, path=f"{child_path}[{index}]")
            else:
                yield from union_violations(inner, value, path=child_path)


def transition_violations(old: Model, new: Model, *, path: str = "") -> Iterator[FieldError]:
    """Every immutable field that differs between two states of one object."""
    for constraint in type(new).invariants:
        if constraint.transition is not None and not constraint.transition(old, new):
            yield FieldError(path + constraint.field_path, constraint.message)
    for attribute, alias in _constrained_fields(type(new)):
        before, after = getattr(old, attribute), getattr(new, attribute)
        if before is None or after is None or isinstance(after, tuple):
            continue
        child_path = f"{path}.{alias}" if path else alias
        yield from transition_violations(before, after, path=child_path)


@cache
def _constrained_fields(model: type[Model]) -> tuple[tuple[str, str], ...]:
    """The fields worth walking into: those below which some constraint exists."""
    found = []
    for attribute, info in model.model_fields.items():
        if any(_has_constraints(inner) for inner in models_in(info.annotation)):
            found.append((attribute, info.alias or attribute))
    return tuple(found)


@cache
def _has_constraints(model: type[Model]) -> bool:
    return bool(model.invariants) or bool(_constrained_fields(model))


def models_in(annotation: Any) -> Iterator[type[Model]]:
    """Every API model that a type annotation mentions."""
    if isinstance(annotation, type) and hasattr(annotation, "invariants"):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)
