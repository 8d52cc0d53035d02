"""House rules about Python code that no linter knows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final

import pytest

Texts = Mapping[PurePosixPath, str]

PACKAGE: Final = PurePosixPath("operator/callplane")
MODULE_LINES_MAX: Final = 600
FUNCTION_LINES_MAX: Final = 70

# What may be longer, and why. An entry that is not needed any more fails the test, as an unlisted
# long function does.
LONG_ON_PURPOSE: Final[frozenset[str]] = frozenset()

SILENT_GAP: Final = re.compile(
    r"\bpytest\.(?:skip|importorskip|xfail|mark\.(?:skip|skipif|xfail))\b"
)
WITHOUT_SLEEP: Final = ("unit", "properties", "golden", "transition", "contract")


def undocumented(texts: Texts) -> list[str]:
    """Modules that do not say why they exist."""
    return [
        f"{path}: no module docstring"
        for path, text in texts.items()
        if text.strip() and not ast.get_docstring(ast.parse(text, str(path)))
    ]


def too_long(texts: Texts) -> list[str]:
    """`path` of modules and `path:function` of functions that do not fit, docstrings counted."""
    found = []
    for path, text in texts.items():
        if text.count("\n") > MODULE_LINES_MAX:
            found.append(str(path))
        for name, function in functions(ast.parse(text, str(path))):
            if (function.end_lineno or 0) - function.lineno + 1 > FUNCTION_LINES_MAX:
                found.append(f"{path}:{name}")
    return found


def functions(tree: ast.AST) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function of a module with its name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node


def floats(texts: Texts) -> list[str]:
    """`path:line` of floats, as numbers or as types, where books are kept.

    Money and minutes are integers. What is called `…_seconds` may have a fraction: that is how long
    a program waits, and never what anybody pays for.
    """
    found = []
    for path, text in texts.items():
        if not any(path.is_relative_to(PACKAGE / name) for name in ("billing", "store")):
            continue
        tree = ast.parse(text, str(path))
        waits = {id(below) for node in durations(tree) for below in ast.walk(node)}
        for node in ast.walk(tree):
            number = isinstance(node, ast.Constant) and isinstance(node.value, float)
            name = isinstance(node, ast.Name) and node.id == "float"
            if (number or name) and id(node) not in waits:
                found.append(f"{path}:{node.lineno}")
    return found


def durations(tree: ast.AST) -> Iterator[ast.AST]:
    """Declarations, arguments, defaults and sums that are durations by their names."""
    for node in ast.walk(tree):
        match node:
            case ast.arguments():
                positional = [*node.posonlyargs, *node.args]
                given = zip(reversed(positional), reversed(node.defaults), strict=False)
                for argument, default in [
                    *given,
                    *zip(node.kwonlyargs, node.kw_defaults, strict=True),
                ]:
                    if default is not None and in_seconds(argument.arg):
                        yield default
            case ast.arg(arg=name) | ast.keyword(arg=str(name)) if in_seconds(name):
                yield node
            case ast.AnnAssign(target=ast.Name(id=name)) if in_seconds(name):
                yield node
            case ast.Assign(targets=[ast.Name(id=name)]) if in_seconds(name):
                yield node
            case ast.BinOp() if any(in_seconds(name) for name in names_in(node)):
                yield node


def in_seconds(name: str) -> bool:
    """Whether a name says that it is a number of seconds."""
    return name.lower().endswith("_seconds")


def names_in(tree: ast.AST) -> Iterator[str]:
    """Every name and attribute that an expression mentions."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                yield name


def silent_gaps(texts: Texts) -> list[str]:
    """Tests that may leave themselves out."""
    return [
        f"{path}: {match[0]}"
        for path, text in texts.items()
        if path.parts[0] == "tests" and path.parts[1] != "tidy" and path.name != "conftest.py"
        for match in SILENT_GAP.finditer(text)
    ]


def sleepers(texts: Texts) -> list[str]:
    """Tests that wait on the real clock although one can be passed."""
    return [
        f"{path}:{node.lineno}"
        for path, text in texts.items()
        if path.parts[0] == "tests" and path.parts[1] in WITHOUT_SLEEP
        for node in ast.walk(ast.parse(text, str(path)))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep"
    ]


def entangled_auditors(texts: Texts) -> list[str]:
    """Auditors that import what they audit."""
    return [
        f"{path}:{node.lineno}"
        for path, text in texts.items()
        if "auditor" in path.parts or path.stem in {"auditor", "auditing"}
        for node in ast.walk(ast.parse(text, str(path)))
        if isinstance(node, ast.Import | ast.ImportFrom) and "callplane" in ast.unparse(node)
    ]


def test_every_module_says_why_it_exists(python_texts: Texts) -> None:
    assert undocumented(python_texts) == []


def test_modules_and_functions_fit(python_texts: Texts) -> None:
    assert set(too_long(python_texts)) == LONG_ON_PURPOSE


def test_books_hold_no_floats(python_texts: Texts) -> None:
    assert floats(python_texts) == []


def test_no_test_leaves_itself_out(python_texts: Texts) -> None:
    assert silent_gaps(python_texts) == []


def test_no_fast_test_sleeps(python_texts: Texts) -> None:
    assert sleepers(python_texts) == []


def test_the_auditor_shares_no_code_with_what_it_audits(python_texts: Texts) -> None:
    assert entangled_auditors(python_texts) == []


def module(name: str, text: str) -> Texts:
    return {PurePosixPath(name): text}


def test_a_module_without_docstring_is_caught() -> None:
    assert len(undocumented(module("operator/callplane/x.py", "value = 1\n"))) == 1


@pytest.mark.parametrize(
    "text",
    ["x = 1\n" * 601, "class A:\n  async def f(self):\n" + "    x = 1\n" * 70],
    ids=["module", "function"],
)
def test_what_does_not_fit_is_caught(text: str) -> None:
    assert len(too_long(module("operator/callplane/x.py", text))) == 1


@pytest.mark.parametrize(
    "text",
    ["price = 0.5\n", "def f(price: float) -> None: ...\n", "def f(*, s_seconds=1, p=0.1): ...\n"],
)
@pytest.mark.parametrize("package", ["store", "billing"])
def test_a_float_in_the_books_is_caught(package: str, text: str) -> None:
    assert len(floats(module(f"operator/callplane/{package}/x.py", text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "WAIT_SECONDS: float = 0.5\n",
        "_WAIT_SECONDS = 0.5\n",
        "def f(money: int, *, wait_seconds: float = 1.0): f(1, wait_seconds=0.1)\n",
        "close((answer_seconds or limits.answer_seconds) + 0.5)\n",
    ],
)
def test_a_wait_may_have_a_fraction(text: str) -> None:
    assert floats(module("operator/callplane/store/x.py", text)) == []


@pytest.mark.parametrize(
    "gap", ["skip()", "importorskip('kopf')", "mark.skipif(True)", "mark.xfail"]
)
def test_a_silent_gap_is_caught(gap: str) -> None:
    assert len(silent_gaps(module("tests/unit/test_x.py", f"pytest.{gap}\n"))) == 1


def test_a_sleep_is_caught() -> None:
    assert len(sleepers(module("tests/unit/test_x.py", "time.sleep(1)\n"))) == 1


@pytest.mark.parametrize("text", ["import callplane.plan\n", "from callplane import plan\n"])
def test_an_entangled_auditor_is_caught(text: str) -> None:
    assert len(entangled_auditors(module("tests/simulation/auditor.py", text))) == 1
