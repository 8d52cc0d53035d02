"""Simwood's REST API v3 as its public documentation has it.

Where that is silent (status codes, buying a number twice, limits), a setting says what this world
does, so that a caller can be tried against each answer.
"""

from __future__ import annotations
