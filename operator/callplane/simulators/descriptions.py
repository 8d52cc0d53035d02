"""Worlds described as data: from a mapping (YAML, JSON) to frozen dataclasses; settings by name.

Every simulator reads its seed file and its settings with this; its own modules `seeding` and
`settings` say what there is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Described = TypeVar("Described")
Part = Callable[[object, str], object]


def build(
    kind: type[Described], document: object, place: str, parts: Mapping[str, Part]
) -> Described:
    """A frozen description of `kind` from a mapping; `parts` build the elements of its tuples.

    ValueError tells unknown fields and wrong shapes with their place.
    """
    if not isinstance(document, Mapping):
        raise ValueError(f"{place}: a mapping is wanted, not {document!r}")
    defaults = {each.name: each for each in dataclasses.fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in document.items():
        at = f"{place}.{name}"
        if name not in defaults:
            raise ValueError(f"{at}: unknown field; known are {sorted(defaults)}")
        annotation = str(defaults[name].type)
        check_shape(at, annotation, value)
        if annotation.startswith("tuple"):
            part = parts.get(name, _as_it_is)
            value = tuple(part(item, f"{at}[{index}]") for index, item in enumerate(value))
        values[name] = value
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"{place}: {str(error).partition(') ')[2] or error}") from None


def _as_it_is(value: object, _: str) -> object:
    return value


_SHAPES: tuple[tuple[str, Callable[[object], bool], str], ...] = (
    ("tuple", lambda value: isinstance(value, list | tuple), "a list"),
    ("Mapping", lambda value: isinstance(value, Mapping), "a mapping"),
    ("int", lambda value: type(value) is int, "a whole number"),
    ("float", lambda value: type(value) in (int, float), "a number"),
    ("str", lambda value: isinstance(value, str), "a text (in quotes)"),
    ("bool", lambda value: isinstance(value, bool), "true or false"),
)
"""What a field wants, by the beginning of its annotation."""


def check_shape(place: str, annotation: str, value: object) -> None:
    """ValueError unless `value` has the shape its field's annotation begins with."""
    if value is None and annotation.endswith("| None"):
        return
    for beginning, fits, wanted in _SHAPES:
        if annotation.startswith(beginning) and not fits(value):
            raise ValueError(f"{place}: {wanted} is wanted, not {value!r}")


def change_settings(settings: Any, changes: Mapping[str, object], place: str) -> None:
    """Change fields of the dataclass `settings` by name, all or none.

    ValueError names place, setting and reason.
    """
    fields = {field.name: field for field in dataclasses.fields(settings)}
    for name, value in changes.items():
        if name not in fields:
            raise ValueError(f"{place}.{name}: unknown setting; known are {sorted(fields)}")
        _check_setting(f"{place}.{name}", fields[name].default, value)
    for name, value in changes.items():
        setattr(settings, name, value)


def _check_setting(place: str, default: object, value: object) -> None:
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise ValueError(f"{place}: true or false is wanted, not {value!r}")
        return
    if default is None and value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError(f"{place}: a number that is not negative is wanted, not {value!r}")
    if isinstance(default, int) and not isinstance(value, int):
        raise ValueError(f"{place}: a whole number is wanted, not {value!r}")
