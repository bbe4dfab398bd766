-- The demo: a concert with a waiting line, and a play without. Loaded where there is no event yet.
DO $$
DECLARE
	operator bigint := (SELECT id FROM users WHERE lower(email) = 'admin@onsale.test');
	concert bigint;
	play bigint;
	evening bigint := extract(epoch FROM date_trunc('day', now()) + interval '30 days 19 hours') * 1000;
	day_ms bigint := 86400000;
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended('onsale demo', 0));
	IF EXISTS (SELECT FROM events) THEN
		RETURN;
	END IF;
	INSERT INTO events (title, venue, queue_enabled, capacity, admit_per_second, pass_ttl_seconds,
		abandon_after_seconds)
	VALUES ('Storm: the one-night concert', 'Harbour Arena', true, 50, 20, 300, 60)
	RETURNING id INTO concert;
	INSERT INTO events (title, venue) VALUES ('The Quiet Play', 'Little Theatre') RETURNING id INTO play;
	PERFORM create_performance(operator, concert, evening, '{Floor,Balcony}', '{20,10}', '{30,40}',
		'{132000,99000}');
	PERFORM create_performance(operator, concert, evening + day_ms, '{Floor,Balcony}', '{20,10}',
		'{30,40}', '{132000,99000}');
	PERFORM create_performance(operator, play, evening + 7 * day_ms, '{Stalls}', '{10}', '{12}', '{45000}');
END
$$
