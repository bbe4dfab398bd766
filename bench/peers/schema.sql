-- The tables of one peer, in a schema of its own (psql -v schema=peer_fastapi), so that any database
-- will do. They say what onsale's say, less what the peers do not do: no outbox, no sign-ups.
--
-- A hold that has lapsed leaves its marks on the seat until the next one overwrites them.

SET client_min_messages = warning;
DROP SCHEMA IF EXISTS :"schema" CASCADE;
CREATE SCHEMA :"schema";
SET search_path = :"schema";

CREATE TABLE users (
	id bigint PRIMARY KEY,
	email text NOT NULL UNIQUE
);

CREATE TABLE accounts (
	user_id bigint PRIMARY KEY REFERENCES users,
	balance bigint NOT NULL CHECK (balance >= 0),
	points bigint NOT NULL DEFAULT 0 CHECK (points >= 0)
) WITH (fillfactor = 70);

CREATE TABLE events (
	id bigint PRIMARY KEY,
	title text NOT NULL,
	queue_enabled boolean NOT NULL,
	capacity bigint NOT NULL,
	pass_ttl_seconds bigint NOT NULL
);

CREATE TABLE performances (
	id bigint PRIMARY KEY,
	event_id bigint NOT NULL REFERENCES events
);

CREATE TABLE seats (
	id bigint PRIMARY KEY,
	performance_id bigint NOT NULL REFERENCES performances,
	section text NOT NULL,
	row_name text NOT NULL,
	number bigint NOT NULL,
	price bigint NOT NULL,
	status text NOT NULL DEFAULT 'available' CHECK (status IN ('available', 'held', 'sold')),
	reservation_id bigint,
	hold_expires_at timestamptz,
	version bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
CREATE INDEX seats_performance ON seats (performance_id);

CREATE TABLE reservations (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	user_id bigint NOT NULL,
	performance_id bigint NOT NULL,
	status text NOT NULL DEFAULT 'held' CHECK (status IN ('held', 'paid')),
	seat_ids bigint[] NOT NULL,
	total bigint NOT NULL,
	hold_expires_at timestamptz NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX reservations_user ON reservations (user_id, id);

CREATE TABLE payments (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	reservation_id bigint NOT NULL UNIQUE,
	user_id bigint NOT NULL,
	amount bigint NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE ledger (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	user_id bigint NOT NULL,
	unit text NOT NULL CHECK (unit IN ('money', 'points')),
	kind text NOT NULL CHECK (kind IN ('opening', 'payment', 'reward')),
	amount bigint NOT NULL,
	balance_after bigint NOT NULL CHECK (balance_after >= 0),
	reservation_id bigint,
	created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ledger_user ON ledger (user_id, id);

CREATE TABLE idempotency (
	scope text PRIMARY KEY, -- user, method, path, key
	digest text NOT NULL,	-- of the body
	status integer NOT NULL,
	reply text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now()
);
