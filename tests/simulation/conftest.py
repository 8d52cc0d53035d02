"""The auditor is a program of its own: it is run on journals and never imported."""

from __future__ import annotations

collect_ignore = ["auditor"]
