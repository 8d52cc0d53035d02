"""DIDWW's API v3 (JSON:API) as its documentation has it. Numbers travel without plus here; the
documentation does not say.
"""

from __future__ import annotations
