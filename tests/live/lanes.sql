create table item (id bigint primary key);
create table late_item (id bigint unique deferrable initially deferred);
create table gate (id bigint primary key);
insert into gate select generate_series(1, 100);
create table passed (id bigint not null);
create sequence tries;

create function pass(ids bigint[]) returns setof bigint language plpgsql as $$
declare
	one bigint;
begin
	foreach one in array ids loop
		perform 1 from gate where id = one for share;
		insert into passed values (one);
		return next one * 2;
	end loop;
end $$;

-- Fails at the first `times` calls; a sequence does not roll back.
create function stumble(ids bigint[], code text, times bigint) returns setof bigint language plpgsql as $$
begin
	if nextval('tries') <= times then
		raise exception 'stumbled' using errcode = code;
	end if;
	return query select one * 2 from unnest(ids) with ordinality as t (one, place) order by place;
end $$;
