-- The admin API reads its views and nothing else. Run after every upgrade; granting twice changes
-- nothing.
grant select on alembic_version to {role};
grant usage on schema admin_api to {role};
grant select on all tables in schema admin_api to {role};
