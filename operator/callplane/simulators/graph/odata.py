"""The part of OData that callers of this world use: `$filter` expressions and `$select` lists.

Grammar: comparisons (`eq`, `ne`), `in` lists, `startswith(a,'x')`, `endswith(a,'x')`, `a/any(x:…)`,
joined by `and`, `or`, `not` and parentheses. Texts compare without regard to case, as Graph
compares names and enums.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping

from callplane.simulators.graph import refusals

Predicate = Callable[[Mapping[str, object]], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<mark>[(),:])|(?P<word>[^\s(),:']+))", re.ASCII
)


@functools.lru_cache(maxsize=256)
def selected_fields(select: str) -> tuple[str, ...]:
    """The names of a `$select`, empty when it is."""
    return tuple(name.strip() for name in select.split(",") if name.strip())


def single_equality(expression: str, field: str) -> str | None:
    """The value of a filter that is nothing but `field eq 'value'`: answered from an index."""
    prefix = f"{field} eq '"
    if expression.startswith(prefix) and expression.endswith("'"):
        value = expression[len(prefix) : -1]
        if "'" not in value.replace("''", ""):
            return value.replace("''", "'")
    return None


def predicate_of(expression: str, *, refused_fields: frozenset[str] = frozenset()) -> Predicate:
    """A filter as a function over documents. Raises Refusal when it cannot be understood."""
    parser = _Parser(expression, refused_fields)
    predicate = parser.disjunction()
    parser.expect_end()
    return predicate


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, expression: str, refused_fields: frozenset[str]) -> None:
        self._expression = expression
        self._refused_fields = refused_fields
        self._tokens: list[str] = []
        position = 0
        while position < len(expression.rstrip()):
            found = _TOKEN.match(expression, position)
            if found is None:
                raise self._error()
            self._tokens.append(found.group().strip())
            position = found.end()
        self._at = 0

    def disjunction(self) -> Predicate:
        """`a or b`."""
        parts = [self._conjunction()]
        while self._accept("or"):
            parts.append(self._conjunction())
        return parts[0] if len(parts) == 1 else lambda row: any(part(row) for part in parts)

    def expect_end(self) -> None:
        """Nothing may follow."""
        if self._at != len(self._tokens):
            raise self._error()

    def _conjunction(self) -> Predicate:
        parts = [self._factor()]
        while self._accept("and"):
            parts.append(self._factor())
        return parts[0] if len(parts) == 1 else lambda row: all(part(row) for part in parts)

    def _factor(self) -> Predicate:
        if self._accept("not"):
            inner = self._factor()
            return lambda row: not inner(row)
        if self._accept("("):
            inner = self.disjunction()
            self._expect(")")
            return inner
        word = self._next()
        if word.lower() in ("startswith", "endswith"):
            return self._text_at(word.lower())
        if word.endswith("/any"):
            return self._any(word.removesuffix("/any"))
        return self._comparison(word)

    def _text_at(self, function: str) -> Predicate:
        self._expect("(")
        field = self._field(self._next())
        self._expect(",")
        part = str(self._value()).lower()
        self._expect(")")
        holds = str.startswith if function == "startswith" else str.endswith
        return lambda row: holds(str(_read(row, field) or "").lower(), part)

    def _any(self, collection: str) -> Predicate:
        self._expect("(")
        variable = self._next()
        self._expect(":")
        inner = self.disjunction()
        self._expect(")")

        def holds(row: Mapping[str, object]) -> bool:
            items = _read(row, collection)
            return isinstance(items, list) and any(inner({**row, variable: item}) for item in items)

        return holds

    def _comparison(self, name: str) -> Predicate:
        field = self._field(name)
        operator = self._next()
        if operator == "in":
            self._expect("(")
            values = [_folded(self._value())]
            while self._accept(","):
                values.append(_folded(self._value()))
            self._expect(")")
            return lambda row: _folded(_read(row, field)) in values
        if operator not in ("eq", "ne"):
            raise self._error()
        value = _folded(self._value())
        if operator == "eq":
            return lambda row: _folded(_read(row, field)) == value
        return lambda row: _folded(_read(row, field)) != value

    def _field(self, name: str) -> str:
        if name in self._refused_fields:
            raise refusals.bad_request(f"Filtering on '{name}' is not supported.")
        return name

    def _value(self) -> object:
        token = self._next()
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        literals: dict[str, object] = {"true": True, "false": False, "null": None}
        return literals.get(token, token)

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            raise self._error()
        self._at += 1
        return self._tokens[self._at - 1]

    def _accept(self, token: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == token:
            self._at += 1
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._accept(token):
            raise self._error()

    def _error(self) -> refusals.Refusal:
        return refusals.bad_request(f"Invalid filter clause: {self._expression}")


def _read(row: Mapping[str, object], path: str) -> object:
    value: object = row
    for name in path.split("/"):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _folded(value: object) -> object:
    return value.lower() if isinstance(value, str) else value
