"""Calls as money and minutes: tariff, decision, rating, settlement and books, all of it pure.

Nothing here asks a clock, a database or a switch. The live decision, the bill and every what-if are
the same functions over the same values.
"""
