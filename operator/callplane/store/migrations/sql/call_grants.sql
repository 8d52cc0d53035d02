-- Call control reads what calls are decided by and cannot write it; of the register it sees nothing.
-- In the books it may hold, settle and suspend calls. Run after every upgrade; granting twice changes
-- nothing.
grant select on alembic_version to {role};
grant usage on schema calls to {role};
grant select on all tables in schema calls to {role};
grant insert on calls.countries, calls.registrations to {role};
grant insert, delete on calls.dialogs to {role};
grant usage on schema books to {role};
grant select on all tables in schema books to {role};
grant insert on books.postings, books.cdrs, books.leg_keys, books.account_periods,
    books.entitlements, books.reservations to {role};
grant update on books.account_periods, books.entitlements, books.reservations to {role};
grant insert, update, delete on books.suspense to {role};
-- It claims connections whose calls nobody charges yet; to appoint another feed, and evidence, which
-- would confirm its own records, are the operator's and people's. Taken back where it was granted.
revoke insert, update, delete on books.active_users, books.evidence, books.charging_sources
    from {role};
grant insert on books.charging_sources to {role};
-- Prices of a card that lie in a deck.
grant usage on schema decks to {role};
grant select on decks.decks, decks.prices to {role};
