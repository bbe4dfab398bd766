-- What is to be told next: the events of the oldest rows of outbox_pending, whole rows, with no more than batch_limit
-- events but for the first row, for the one relay that has the lease; it takes the lease, or prolongs its own. Each
-- row that comes back also says how old the oldest event is. Nothing where there is none; one row without an event
-- where another relay has the lease, or for a batch_limit of 0.
--
-- Rows become visible out of the order of their ids, so no id is a place to go on from: what is there is to be told.
-- An event's forerunner of the same reservation, whose row its writer has locked, was visible before it, and in a
-- pending row of a lower id, so that whoever sees the one sees the other, and first. The order of first deliveries
-- rests on that alone: the lease only spares duplicates, and is no proof against a relay that slept.
--
-- Nobody waits here, nor for the disk: a lease or a mark that a crash of PostgreSQL takes back means duplicates.
CREATE OR REPLACE FUNCTION outbox_take(taker bigint, lease_ms bigint, batch_limit bigint)
RETURNS TABLE (pending_id bigint, id bigint, reservation_id bigint, kind text, payload text, created_at text,
	age_ms bigint)
LANGUAGE plpgsql
SET enable_seqscan = off SET jit = off
AS $$
DECLARE
	asked_at timestamptz := clock_timestamp();
BEGIN
	SELECT greatest(0, extract(epoch FROM asked_at - o.created_at) * 1000)::bigint INTO age_ms
	FROM outbox_pending o ORDER BY o.id LIMIT 1;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	IF batch_limit > 0 THEN
		PERFORM set_config('synchronous_commit', 'off', true);
		PERFORM FROM outbox_lease l WHERE l.holder = taker OR l.expires_at < asked_at
		FOR UPDATE SKIP LOCKED;
	END IF;
	IF batch_limit = 0 OR NOT FOUND THEN
		RETURN NEXT;
		RETURN;
	END IF;
	UPDATE outbox_lease l SET holder = taker,
		expires_at = clock_timestamp() + lease_ms * interval '1 millisecond';
	RETURN QUERY
	SELECT t.id, o.id, o.reservation_id, o.kind, o.payload::text, rfc3339(o.created_at), outbox_take.age_ms
	FROM (
		SELECT p.id, p.event_ids, sum(cardinality(p.event_ids)) OVER before AS upto,
			row_number() OVER before AS nth
		FROM (SELECT * FROM outbox_pending first ORDER BY first.id LIMIT batch_limit) p
		WINDOW before AS (ORDER BY p.id)
	) t, unnest(t.event_ids) AS e(id), outbox o
	WHERE (t.upto <= batch_limit OR t.nth = 1) AND o.id = e.id
	ORDER BY t.id, o.id;
END
$$;
