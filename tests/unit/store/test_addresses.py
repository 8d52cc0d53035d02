"""What names the database, and what is said of a name that is none: never the password in it."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from callplane.store import addresses, schema
from callplane.store.ports import StoreUnavailable

GOOD = "postgresql://callplane:hunter2@db.example.com:5432/callplane"
#: Typing errors, in what psycopg repeats when it complains.
BAD = [
    "postgres//callplane:hunter2@db.example.com/callplane",
    "http://callplane:hunter2@db.example.com/callplane",
    "postgresql://callplane:hunter2%zz@db.example.com/callplane",
    "postgresql://callplane:it@[2001:db8::hunter2/callplane",
    "postgresql://callplane:hunter2/hunter2@db.example.com/callplane",
    "postgresql://callplane:it@hunter2@db.example.com/callplane",
    "callplane:hunter2",
]


def test_an_address_is_passed_on_as_it_is(tmp_path: Path) -> None:
    assert addresses.current(GOOD) == GOOD
    file = tmp_path / "uri"
    file.write_text(f"{GOOD}\n")
    assert addresses.current(f"file://{file}") == GOOD


@pytest.mark.parametrize("address", BAD)
def test_what_is_no_address_is_refused_without_its_password(address: str, tmp_path: Path) -> None:
    file = tmp_path / "uri"
    file.write_text(address)
    for given, place in ((address, "the address of the database"), (f"file://{file}", str(file))):
        with pytest.raises(psycopg.OperationalError, match="cannot be read") as refused:
            addresses.current(given)
        assert str(refused.value).startswith(place)
        assert "hunter2" not in str(refused.value)
        assert refused.value.__cause__ is None
        assert refused.value.__context__ is None


@pytest.mark.parametrize("address", [*BAD, "host=db.example.com password=hunter2"])
def test_an_upgrade_says_what_is_wrong_with_an_address(address: str) -> None:
    with pytest.raises(StoreUnavailable) as refused:
        schema.upgrade(address)
    assert "postgresql://" in str(refused.value)
    assert "hunter2" not in str(refused.value)
