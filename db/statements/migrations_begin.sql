-- One run at a time in a database; the second one waits here and then finds all done.
begin isolation level read committed;
set local lock_timeout = '60s';
select pg_advisory_xact_lock(7020150315541037);
create table if not exists onsale_migrations (
	name text primary key,
	digest text not null,
	applied_at timestamptz not null default clock_timestamp()
);
