"""Twilio's number, trunk and regulatory APIs as their documentation has them, all on one origin.

The vendor spreads them over several hosts; the SDK is redirected host by host. The API description
lists only successes, so errors are those of the error pages.
"""

from __future__ import annotations
