"""The files of one SBC, byte for byte, and what they must never hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from callplane.cli import sbc_command
from callplane.sbc import rendering
from callplane.sbc.model import Sbc

Compare = Callable[[str, str], None]
VALUES = Path(__file__).parent / "sbc" / "london.yaml"
FILES = (
    "kamailio.cfg",
    "services.cfg",
    "peers.cfg",
    "numbers.cfg",
    "phones.cfg",
    "tls.cfg",
    "dispatcher.list",
    "address.list",
)


@pytest.fixture(scope="module")
def london() -> Sbc:
    sbc, complaints = sbc_command.understand(VALUES.read_bytes())
    assert sbc is not None, complaints
    return sbc


@pytest.mark.parametrize("name", FILES)
def test_the_files_of_an_sbc(london: Sbc, name: str, compare: Compare) -> None:
    assert set(rendering.render(london)) == set(FILES)
    compare(f"sbc/london/{name}", rendering.render(london)[name])


def test_the_same_values_give_the_same_bytes(london: Sbc) -> None:
    again, _ = sbc_command.understand(VALUES.read_bytes())
    assert again is not None
    assert rendering.render(again) == rendering.render(london)


def test_no_file_needs_a_database_or_another_sbc(london: Sbc) -> None:
    """With a dead database Kamailio would not start, and 999 would go nowhere."""
    text = "\n".join(rendering.render(london).values())
    assert re.findall(r"(?i)db_url|postgres|mysql|sqlite|redis|dmq|http_client", text) == []
    assert re.findall(r"\w+://", text) == []


def test_no_file_names_a_host_that_must_be_resolved(london: Sbc) -> None:
    """Names stand in headers only; packets go to addresses."""
    for line in rendering.render(london)["dispatcher.list"].splitlines()[1:]:
        assert re.match(r"\d+ sip:[0-9.]+:\d+(;transport=tls)? ", line), line
    listens = re.findall(r"(?m)^listen=\w+:(.*)$", rendering.render(london)["kamailio.cfg"])
    assert listens
    assert all(re.fullmatch(r"[0-9.]+:\d+", place) for place in listens)
