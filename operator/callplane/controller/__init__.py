"""The only code that knows Kopf: what it watches, when work may start, and how the process ends."""
