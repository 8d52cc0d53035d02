"""A fortnight of a company in virtual time: the real engine over simulated surroundings, by a seed.

`python -m callplane.testing.simulation --seed 7 --journal FILE` lives through it and writes down
everything that happened outside the engine as plain JSON. It judges nothing: that is for
`tests/simulation/auditor.py`, which reads the journal and imports nothing of this package.
"""
