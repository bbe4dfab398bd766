-- Makes a person with an empty account. The new id comes back, or null where the e-mail address is taken: the
-- unique index decides, and of two at once the second one waits for the first.
--
-- A hash has a salt of its own, so that it names this very request: run again after its reply was lost, it
-- finds the person that it made.
CREATE OR REPLACE FUNCTION sign_up(address text, called text, hash text) RETURNS bigint
LANGUAGE plpgsql
SET enable_seqscan = off SET jit = off
AS $$
DECLARE
	person bigint;
BEGIN
	INSERT INTO users (email, name, password_hash) VALUES (address, called, hash)
	ON CONFLICT (lower(email)) DO NOTHING
	RETURNING id INTO person;
	IF person IS NOT NULL THEN
		INSERT INTO accounts (user_id) VALUES (person);
	ELSE
		SELECT u.id INTO person FROM users u
		WHERE lower(u.email) = lower(address) AND u.password_hash = hash;
	END IF;
	RETURN person;
END
$$;
