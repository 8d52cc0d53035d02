"""What all simulated carriers share: stock, accounts, money, orders, ports, and the way a request
takes.

A carrier's own folder adds its paths, its words and its quirks. Prices in these worlds are samples;
they are nobody's.
"""

from __future__ import annotations
