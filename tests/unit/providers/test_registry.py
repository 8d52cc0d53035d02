"""Providers by name: imported when wanted, never two of one name."""

from __future__ import annotations

import subprocess
import sys

import pytest

from callplane.providers.inmemory import InMemoryProvider, World
from callplane.providers.registry import BUILT_IN, Ingredients, Registry
from callplane.testing.manual_clock import ManualClock
from callplane.values import ConnectionId

INGREDIENTS = Ingredients(spec=None, clock=ManualClock())


def in_memory(ingredients: Ingredients) -> InMemoryProvider:
    return InMemoryProvider(ConnectionId("inmemory", "t"), World(), clock=ingredients.clock)


def test_a_provider_is_made_by_name() -> None:
    registry = Registry({"inmemory": in_memory})
    assert isinstance(registry.create("inmemory", INGREDIENTS), InMemoryProvider)


def test_a_factory_may_be_a_path() -> None:
    registry = Registry({"inmemory": f"{__name__}:in_memory"})
    assert isinstance(registry.create("inmemory", INGREDIENTS), InMemoryProvider)


def test_a_name_is_given_once() -> None:
    registry = Registry()
    with pytest.raises(ValueError, match="'teams' already"):
        registry.register("teams", in_memory)


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    registry = Registry()
    registry.register("inmemory", in_memory)
    with pytest.raises(LookupError, match=r"'zoom'.*inmemory, sip, teams, webex"):
        registry.create("zoom", INGREDIENTS)


def test_every_built_in_factory_exists() -> None:
    for name in BUILT_IN:
        with pytest.raises(TypeError, match=r"needs a [A-Z]"):
            Registry().create(name, INGREDIENTS)


def test_nothing_of_a_vendor_is_imported_before_it_is_wanted() -> None:
    code = (
        "import sys, callplane.providers.registry; "
        "print(sorted(m for m in sys.modules "
        "if m.partition('.')[0] in ('msal', 'requests', 'wxc_sdk') "
        "or m.startswith(('callplane.providers.teams', 'callplane.providers.webex'))))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert shown.stdout.strip() == "[]"


def test_secrets_do_not_show() -> None:
    ingredients = Ingredients(spec=None, clock=ManualClock(), secrets={"x": b"hidden"})  # type: ignore[dict-item]
    assert "hidden" not in repr(ingredients)
