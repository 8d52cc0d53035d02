"""Tells people outside: webhooks."""
