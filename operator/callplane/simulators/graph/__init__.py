"""A Microsoft 365 tenant as Graph v1.0 shows it: users, Teams Phone numbers, policies, token
service.

Written from the vendor's reference pages and metadata. Where those are silent, a setting of
`WorldSettings` says what this world does, so that a caller can be tried against each answer.
"""

from __future__ import annotations
