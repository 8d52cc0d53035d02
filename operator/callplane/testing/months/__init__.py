"""Three months of calls in virtual time: the real call control over the real books, by a seed.

`python -m callplane.testing.months --seed 7 --journal FILE` lives through them and writes down what
really happened: each call as its switch saw it, each question to the books and its answer, each
change of plans and tariffs. It judges nothing: that is for `tests/simulation/months/auditor`, which
reads the journal and imports nothing of this package.
"""
