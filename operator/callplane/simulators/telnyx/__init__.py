"""Telnyx's API v2 as its OpenAPI document and its documentation have it.

Orders pend, numbers are listed by page, and an answer's money is text. Checked against the vendor's
own contract in the tests.
"""

from __future__ import annotations
