"""What no text may say: real numbers, hosts of registries, paths of machines, wrong words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

import pytest

Texts = Mapping[PurePosixPath, str]

# Ofcom reserves these blocks of a thousand for drama; national numbers without their last three
# digits. Source: Ofcom, "Telephone numbers for use in TV and radio drama programmes".
DRAMA_BLOCKS: Final = frozenset(
    {
        *(f"{city}4960" for city in (113, 114, 115, 116, 117, 118, 121, 131, 141, 151, 161)),
        "1632960",
        "1914980",
        "2079460",
        "2896496",
        "2920180",
        "3069990",
        "7700900",
        "8081570",
        "9098790",
    }
)
WRITTEN_NUMBER: Final = re.compile(r"\+44(?:[ .()-]{0,2}\d){4,}")

# What may show a number outside the drama blocks, and why. The list has to stay exact.
REAL_ON_PURPOSE: Final = frozenset(
    {
        # Refused for the size of its range; a drama block has a thousand.
        "tests/unit/apis/refusals.yaml",
        # Nine digits after the country code, of which there are no drama numbers.
        "tests/unit/numbering/test_plan_table.py",
    }
)

# Put together here, so that this file does not name what it forbids.
REGISTRY_HOSTS: Final = re.compile(
    "|".join(
        re.escape(".".join(parts))
        for parts in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("proxy", "golang", "org"),
            ("sum", "golang", "org"),
            ("registry", "npmjs", "org"),
            ("deb", "debian", "org"),
            ("crates", "io"),
        )
    )
)
MACHINE_PATH: Final = re.compile(r"(?<![\w./-])/(?:work|farm|root|home|Users)/[a-z.]")

# The word, what it is called here instead. See the glossary in ARCHITECTURE.md.
LOSERS: Final = (
    (re.compile(r"\bphone plans?\b|\btariff plans?\b", re.IGNORECASE), "calling plan"),
    (re.compile(r"\bnumber pools?\b|\bpools? of numbers\b", re.IGNORECASE), "range"),
    (re.compile(r"\b(?:telecoms?|network|phone) operators?\b", re.IGNORECASE), "carrier"),
    (re.compile(r"\btelcos?\b|\b(?:tele)?phone compan(?:y|ies)\b", re.IGNORECASE), "carrier"),
    (re.compile(r"\bcool(?:ing)?[ -]?(?:off|down)\b", re.IGNORECASE), "quarantine"),
    (re.compile(r"\bsoftware releases?\b", re.IGNORECASE), "version"),
    (re.compile(r"\b(?:gate|limit|validation) polic(?:y|ies)\b", re.IGNORECASE), "gate or rules"),
)
# The glossary itself names the losers.
MAY_NAME_LOSERS: Final = frozenset(
    {PurePosixPath("ARCHITECTURE.md"), PurePosixPath("tests/tidy/test_wording.py")}
)


def real_numbers(texts: Texts) -> list[str]:
    """British numbers of full length that somebody could own."""
    found = []
    for path, text in texts.items():
        for match in WRITTEN_NUMBER.finditer(text):
            national = re.sub(r"\D", "", match[0])[2:]
            synthetic = national.endswith("00000") and national[:3] not in {"207", "161"}
            if len(national) not in (9, 10) or national[:7] in DRAMA_BLOCKS or synthetic:
                continue
            found.append(
                f"{path}:{line_of(text, match.start())}: {match[0][:7]}… is no drama number"
            )
    return found


def foreign_places(texts: Texts) -> list[str]:
    """Hosts of package registries and paths that exist on one machine only."""
    return [
        f"{path}:{line_of(text, match.start())}: {match[0]}"
        for path, text in texts.items()
        for pattern in (REGISTRY_HOSTS, MACHINE_PATH)
        for match in pattern.finditer(text)
    ]


def wrong_words(texts: Texts) -> list[str]:
    """Words of the glossary used in the sense that has another name."""
    return [
        f"{path}:{line_of(text, match.start())}: {match[0]!r} is called {winner} here"
        for path, text in texts.items()
        if path not in MAY_NAME_LOSERS
        for pattern, winner in LOSERS
        for match in pattern.finditer(text)
    ]


def line_of(text: str, offset: int) -> int:
    """Line number of an offset, from 1."""
    return text.count("\n", 0, offset) + 1


def test_sample_numbers_belong_to_nobody(texts: Texts) -> None:
    found = real_numbers(texts)
    assert [line for line in found if line.partition(":")[0] not in REAL_ON_PURPOSE] == []
    assert {line.partition(":")[0] for line in found} == REAL_ON_PURPOSE


def test_no_text_names_a_registry_or_a_machine(texts: Texts) -> None:
    assert foreign_places(texts) == []


def test_words_mean_one_thing(texts: Texts) -> None:
    assert wrong_words(texts) == []


def as_text(line: str) -> Texts:
    return {PurePosixPath("docs/page.md"): f"One line.\n{line}\n"}


@pytest.mark.parametrize(
    "number",
    [
        "+44" + "2071838750",
        "+44 20 " + "7183 8750",
        "+44 (0)" + "161 715 1234",
        "+44-117-" + "2345678",
    ],
)
def test_a_real_number_is_caught(number: str) -> None:
    # The eleven digits of the form with (0) are no valid number, and are not taken for one.
    assert len(real_numbers(as_text(f"call {number} now"))) == (0 if "(0)" in number else 1)


@pytest.mark.parametrize("number", ["+44 20 7946 0123", "+441614960999", "+44 7700 900 123"])
def test_a_drama_number_is_welcome(number: str) -> None:
    assert real_numbers(as_text(number)) == []


@pytest.mark.parametrize(
    "line",
    [
        "https://" + "pypi" + ".org/simple",
        "GOPROXY=https://" + "proxy.golang" + ".org",
        "cd " + "/work" + "/main",
        "/home" + "/somebody/.kube/config",
    ],
)
def test_a_foreign_place_is_caught(line: str) -> None:
    assert len(foreign_places(as_text(line))) == 1


@pytest.mark.parametrize(
    "line", ["a " + "number pool", "the telecom" + " operator", "Phone " + "plan"]
)
def test_a_wrong_word_is_caught(line: str) -> None:
    assert len(wrong_words(as_text(line))) == 1
