insert into onsale_migrations (name, digest) values ($1, $2)
on conflict (name) do update set digest = excluded.digest, applied_at = excluded.applied_at
