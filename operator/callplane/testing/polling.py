"""Wait for what another process does; for end-to-end tests, where no clock can be passed in."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

POLL_SECONDS = 0.1

Value = TypeVar("Value")


def until(
    check: Callable[[], Value],
    what: str,
    *,
    seconds: float = 60.0,
    pause_seconds: float = POLL_SECONDS,
) -> Value:
    """Return the first true answer of `check`, which is asked after each pause.

    An AssertionError of `check` counts as "not yet". Raises AssertionError with `what`, and with
    what the last look showed, when there is none within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        complaint: object
        try:
            value = check()
        except AssertionError as error:
            complaint = error
        else:
            if value:
                return value
            complaint = repr(value)
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}; last look: {complaint}")
        time.sleep(pause_seconds)


def stays(check: Callable[[], bool], what: str, *, seconds: float) -> None:
    """Raise AssertionError with `what` when `check` says no at any look during `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not check():
            raise AssertionError(f"no longer: {what}")
        time.sleep(POLL_SECONDS)
