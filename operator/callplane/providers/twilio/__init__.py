"""Twilio, by its public API of numbers, addresses, bundles and prices."""
