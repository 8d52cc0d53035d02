"""A carrier that does not exist, written by `docs/providers/carriers.md` alone: one folder, one
registry line, one simulator, one page. It shows what a new carrier takes.
"""
