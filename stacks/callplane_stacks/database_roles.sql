-- The roles of the ledger, where a cloud runs the server: made, or given their passwords anew. Run by psql as the
-- server's administrator, who is no superuser; all of it happens or nothing, so an upgrade of the schema finds the
-- owner only together with the roles it grants to.
\set ON_ERROR_STOP on
\getenv owner CALLPLANE_OWNER_PASSWORD
\getenv service CALLPLANE_SERVICE_PASSWORD
\getenv calls CALLPLANE_CALLS_PASSWORD
\getenv reader CALLPLANE_READER_PASSWORD
begin;
select format('create role %I', name)
  from unnest(array['callplane_owner', 'callplane_service', 'callplane_calls', 'callplane_reader']) as name
 where not exists (select from pg_roles where rolname = name) \gexec
alter role callplane_owner login password :'owner';
alter role callplane_service login password :'service';
alter role callplane_calls login password :'calls';
alter role callplane_reader login password :'reader';
-- Whoever gives a database away has to be able to become its new owner.
grant callplane_owner to current_user with set true;
alter database callplane owner to callplane_owner;
commit;
