"""What can go wrong, as four types that every layer shares.

A pass ends in success or in one of three verdicts, and `status` maps each of them to conditions:

    Waiting         not a failure: something is under way; look again after `after_seconds`
    Stalled         a human must act; no retry until an input changes
    Failed          a failure that a retry may cure, with back-off

`OutcomeUnknown` is raised by the transport when a request may or may not have taken effect. It is
never retried blindly: the engine turns it into `Waiting` with a targeted read of what was written.

Reasons are CamelCase constants of `callplane.apis.reasons`; they travel here as plain text because
this module lies below the API models.
"""

from __future__ import annotations

import re

MESSAGE_LIMIT_CHARACTERS = 512


class CallplaneError(Exception):
    """Base of everything we raise on purpose."""


class Verdict(CallplaneError):
    """How a pass ended when it did not succeed: a reason for machines, a message for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class Waiting(Verdict):
    """Not a failure: a dependency, an operation or a settling time is under way."""

    def __init__(self, reason: str, message: str, *, after_seconds: float) -> None:
        super().__init__(reason, message)
        self.after_seconds = after_seconds


class Stalled(Verdict):
    """A human must act: retrying with the same inputs cannot help."""


class Failed(Verdict):
    """A failure that may pass: retried with exponential back-off."""


class OutcomeUnknown(CallplaneError):
    """The request was sent and no answer came: it may have taken effect."""


_SECRET = re.compile(
    r"(?i)(bearer\s+|client_secret=|client_assertion=|password=|access_token[\"']?\s*[:=]\s*[\"']?)[^\s\"'&]+"
)
_QUERY = re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']+")
# A group of digits inside an id is no number.
_NUMBER = re.compile(r"(?<![\w-])\+?\d{9,15}(?![\w-])")


def mask_number(text: str) -> str:
    """A number by its first and last digits: `+442079460001` becomes `+44…0001`."""
    return f"{text[:3]}…{text[-4:]}"


def mask_numbers(text: str) -> str:
    """A text with every full number in it masked."""
    return _NUMBER.sub(lambda found: mask_number(found.group()), text)


def scrub(text: str, *, limit_characters: int = MESSAGE_LIMIT_CHARACTERS) -> str:
    """Text of a provider made fit for status, events and logs: no credentials, no query strings, no
    full numbers, at most `limit_characters` long.
    """
    text = " ".join(text.split())
    text = _SECRET.sub(r"\1***", text)
    text = _QUERY.sub(r"\1?…", text)
    text = mask_numbers(text)
    return text if len(text) <= limit_characters else text[: limit_characters - 1] + "…"
