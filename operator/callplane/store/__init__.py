"""PostgreSQL: the number register, intents, the gate's state, connections and history; and the in-memory twin.

`ports` says what the engine may ask; `postgres` and `memory` answer the same, and one suite runs over both.
"""
