"""The one error that the sandbox raises for a user to read."""

from __future__ import annotations

from callplane.errors import CallplaneError


class SandboxError(CallplaneError):
    """Something the sandbox needs is missing or did not start; the text says what and where to
    look.
    """
