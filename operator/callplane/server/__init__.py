"""The admin API: register, held plans, pools, statements and ledger as read-only JSON.

A request walks through `front_door` (form, who is it), a route (which asks `door` whether that is
allowed, and gets a reach for it) and a reader of the database, which answers within that reach
alone. Nothing is written anywhere: changes go through git.
"""

from __future__ import annotations
