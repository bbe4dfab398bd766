-- Whether places in line were used up by a purchase, for tokens and passes that Redis has lost. One row a
-- place comes back.
--
-- A place with a nonce was used where a reservation made with that pass was paid; one without, where its person
-- paid for the event, by way of its line, after the token was given. Whoever joined again after buying has a
-- newer token.
--
-- held_until: the end of the last hold that this person has in the event; null where there is none.
CREATE OR REPLACE FUNCTION places_used(
	event_ids bigint[],
	user_ids bigint[],
	seen_ms bigint[], -- when the token was given, Unix milliseconds
	nonces bigint[]) -- of the pass; 0: none is presented
RETURNS TABLE (op bigint, used boolean, held_until timestamptz)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
	RETURN QUERY
	SELECT place.op, found.used, found.held_until
	FROM unnest(event_ids, user_ids, seen_ms, nonces)
		WITH ORDINALITY AS place(event_id, user_id, seen_ms, nonce, op),
		LATERAL (
			SELECT coalesce(bool_or(y.id IS NOT NULL AND r.pass_nonce <> 0 AND CASE
					WHEN place.nonce <> 0 THEN r.pass_nonce = place.nonce
					ELSE y.created_at > to_timestamp(place.seen_ms / 1000.0) END),
					false) AS used,
				max(r.hold_expires_at) FILTER (WHERE r.status = 'held') AS held_until
			FROM reservations r
				JOIN performances p ON p.id = r.performance_id
				LEFT JOIN payments y ON y.reservation_id = r.id
			WHERE r.user_id = place.user_id AND p.event_id = place.event_id
		) found;
END
$$;
