"""Durations as options state them: a whole number and a unit."""

from __future__ import annotations

import re
from datetime import timedelta

from callplane.errors import CallplaneError

_FORM = re.compile(r"(\d{1,9})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse(text: str, *, option: str, most: timedelta) -> timedelta:
    """`45s`, `90m`, `24h` or `7d`. Raises CallplaneError that names the option."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise CallplaneError(f"{option} {text!r} is not a duration such as 45s, 90m, 24h or 7d")
    duration = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if not timedelta() < duration <= most:
        raise CallplaneError(f"{option} must be more than 0 and at most {_shown(most)}")
    return duration


def _shown(duration: timedelta) -> str:
    return f"{duration.days}d" if duration.days else f"{duration.seconds // 3600}h"
