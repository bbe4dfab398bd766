-- Locks seats that were read without a lock, ascending over the whole batch, as far as they are still as they were
-- read: those of the fresh requests that want free seats alone. Somebody else's lock is waited for; a seat that he has
-- changed is then not ours. A hold and a cancellation write a new version; a sale keeps its hold's, so that a seat
-- which was sold while its hold seemed lapsed shows by its status alone.
--
-- Tells, by request, whether it lost one; true also for requests that want seats which were not free.
CREATE OR REPLACE FUNCTION claim_seats(
	fresh boolean[], seat_firsts bigint[], seat_lasts bigint[], seat_places bigint[], seat_ids bigint[],
	read_ids bigint[], read_versions bigint[], free_ids bigint[])
RETURNS boolean[]
LANGUAGE plpgsql
SET enable_seqscan = off SET jit = off
AS $$
DECLARE
	wanted bigint[];
	claimed bigint[] := '{}';
	conflicts boolean[];
BEGIN
	FOR request IN 1 .. cardinality(fresh) LOOP
		wanted := ARRAY(SELECT seat_ids[place]
			FROM unnest(seat_places[seat_firsts[request]:seat_lasts[request]]) AS place);
		IF fresh[request] AND wanted <@ free_ids THEN
			claimed := claimed || wanted;
		END IF;
	END LOOP;
	claimed := ARRAY(
		SELECT s.id FROM seats s
		WHERE s.id = ANY (claimed) AND s.status <> 'sold'
			AND s.version = read_versions[array_position(read_ids, s.id)]
		ORDER BY s.id FOR UPDATE);
	FOR request IN 1 .. cardinality(fresh) LOOP
		wanted := ARRAY(SELECT seat_ids[place]
			FROM unnest(seat_places[seat_firsts[request]:seat_lasts[request]]) AS place);
		conflicts[request] := NOT wanted <@ claimed;
	END LOOP;
	RETURN conflicts;
END
$$;
