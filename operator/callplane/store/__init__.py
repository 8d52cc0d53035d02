"""The number register, intents, the gate's state, connections and history, over PostgreSQL.

`ports` says what the engine may ask; `postgres` and its in-memory twin `memory` answer the same,
and one suite of tests runs over both. Nothing outside this package speaks SQL.
"""
