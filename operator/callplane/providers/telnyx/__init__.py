"""Telnyx, by its API version 2 as the vendor's OpenAPI description has it."""
