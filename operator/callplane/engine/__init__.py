"""One pass and what it stands on: queue, caches, snapshots, budgets, the gate, intents.

`reconcile` is the main path. The controller feeds keys; `callplane plan` and the tests run the same
pass.
"""
