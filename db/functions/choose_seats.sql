-- Chooses seats of a performance, or of one section of it, for requests in turn, by what looks free: no seat is locked
-- and nothing written.
-- Each gets seats next to each other (consecutive numbers of a row) in the best row that has as many, else any.
-- What is best: the dearest section, of several at one price the first that the operator named; then rows from the
-- front, then the lowest numbers.
--
-- Transactions that choose at the same time would choose the same seats, and then each get some of them. So a row
-- can be claimed, until the transaction ends: with own_rows, neighbours are chosen only in rows that nobody else has
-- claimed, and seats that are not neighbours not at all.
--
-- At first only the best seats are read, far enough for nearly everybody; then more and more of it, as long as
-- somebody finds no neighbours.
--
-- only_section: null for all; wanted: a number of seats a request.
-- seat_ids: the seats of all requests, one behind the other; firsts: where each request's begin, null where none were
-- chosen.
CREATE OR REPLACE FUNCTION choose_seats(
	performance bigint, only_section text, wanted bigint[], except_ids bigint[], own_rows boolean,
	OUT seat_ids bigint[], OUT firsts integer[])
LANGUAGE plpgsql
SET enable_seqscan = off SET jit = off
AS $$
DECLARE
	most bigint := 2 * (SELECT sum(w) FROM unnest(wanted) AS w) + 50; -- to read
	read_at timestamptz := clock_timestamp();
	best_sections text[] := CASE WHEN only_section IS NULL
		THEN (SELECT p.sections FROM performances p WHERE p.id = performance) ELSE ARRAY[only_section] END;
	free_ids bigint[];
	-- Runs of neighbours, the best first: what is left of them.
	run_firsts bigint[]; -- places in free_ids
	run_counts bigint[];
	run_rows bigint[];    -- numbers to claim their rows by …
	run_claims boolean[]; -- … and whether it went well; null: it was not tried
	fits integer;
	missing bigint;
	part bigint;
BEGIN
	<<reading>>
	LOOP
		WITH free AS (
			SELECT s.id, s.section, s.row_name, s.number, row_number() OVER () AS nth
			FROM (
				SELECT f.* FROM unnest(best_sections) WITH ORDINALITY AS b(section, nth),
					LATERAL (SELECT * FROM seats WHERE seats.performance_id = performance
							AND seats.section = b.section
							AND (seats.status = 'available' OR seats.status = 'held'
								AND seats.hold_expires_at <= read_at)
							AND seats.id <> ALL (except_ids)
						ORDER BY length(seats.row_name), seats.row_name, seats.number
						LIMIT most) f
				ORDER BY b.nth -- a lateral join brings a section's seats in their order: nothing is sorted
				LIMIT most
			) s
		), runs AS ( -- along a run number and place grow alike, and across a gap they do not
			SELECT min(f.nth) AS first, count(*) AS count,
				hashtextextended(f.section || '/' || f.row_name, performance) AS row
			FROM free f
			GROUP BY f.section, f.row_name, f.number - f.nth
		)
		SELECT (SELECT array_agg(f.id ORDER BY f.nth) FROM free f), array_agg(r.first ORDER BY r.first),
			array_agg(r.count ORDER BY r.first), array_agg(r.row ORDER BY r.first)
		INTO free_ids, run_firsts, run_counts, run_rows FROM runs r;
		run_claims := '{}';
		seat_ids := '{}';
		firsts := array_fill(NULL::integer, ARRAY[cardinality(wanted)]);

		<<requests>>
		FOR request IN 1 .. cardinality(wanted) LOOP
			fits := NULL;
			missing := wanted[request];
			FOR run IN 1 .. coalesce(cardinality(run_counts), 0) LOOP
				missing := missing - run_counts[run];
				CONTINUE WHEN run_counts[run] < wanted[request];
				IF own_rows AND run_claims[run] IS NULL THEN
					run_claims[run] := pg_try_advisory_xact_lock(run_rows[run]);
				END IF;
				IF NOT own_rows OR run_claims[run] THEN
					fits := run;
					EXIT;
				END IF;
			END LOOP;
			IF fits IS NULL AND cardinality(free_ids) = most THEN
				most := most * 8;
				CONTINUE reading;
			END IF;
			CONTINUE requests WHEN fits IS NULL AND (own_rows OR missing > 0);

			firsts[request] := cardinality(seat_ids) + 1;
			missing := wanted[request];
			FOR run IN coalesce(fits, 1) .. cardinality(run_counts) LOOP
				EXIT WHEN missing = 0;
				part := least(missing, run_counts[run]);
				seat_ids := seat_ids || free_ids[run_firsts[run] : run_firsts[run] + part - 1];
				run_firsts[run] := run_firsts[run] + part;
				run_counts[run] := run_counts[run] - part;
				missing := missing - part;
			END LOOP;
		END LOOP;
		EXIT;
	END LOOP;
END
$$;
