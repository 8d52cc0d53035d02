"""Whole months of calls rated at once, by the arithmetic and the prices of single calls.

Needs the extra `rating`; nothing outside this package imports it before it is asked to.
"""
