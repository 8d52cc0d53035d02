-- The service may add to the history and never change it. Its role is made by whoever runs the
-- database and owns nothing here. Run after every upgrade; granting twice changes nothing.
grant usage on schema register to {role};
grant select on alembic_version to {role};
grant select on all tables in schema register to {role};
grant usage, select on all sequences in schema register to {role};
grant insert, update, delete on
    register.connections, register.numbers, register.holders, register.removed, register.intents,
    register.gate_rows, register.marks, register.number_event_people, register.unlinked_events
    to {role};
grant insert on register.number_events, register.number_links, register.chain_checkpoints
    to {role};
-- Postings, call records and leg keys are added and never changed or taken out; of a record only what
-- names people can be redacted.
grant usage on schema books to {role};
grant select on all tables in schema books to {role};
grant insert on books.postings, books.cdrs, books.leg_keys, books.account_periods,
    books.entitlements, books.reservations, books.statements, books.notices to {role};
grant update on books.account_periods, books.entitlements, books.reservations to {role};
grant update (caller, destination) on books.cdrs to {role};
grant insert, update on books.hosting_looks, books.hosted_numbers to {role};
grant insert, update on books.active_users, books.evidence, books.charging_sources,
    books.feed_positions, books.notice_deliveries to {role};
grant insert, update, delete on books.plan_holders, books.suspense to {role};
-- What call control decides by is written by the operator; only call control adds countries.
grant usage on schema calls to {role};
grant select on all tables in schema calls to {role};
grant insert, update on calls.entries to {role};
grant update on calls.state to {role};
-- Decks are added whole and never changed; charges name them.
grant usage on schema decks to {role};
grant select, insert on decks.decks, decks.prices to {role};
