-- One event with one performance of :seats seats, and people :first to :last, each with :balance.
-- Seats have the ids 1 to :seats, in rows of 50 at 1000 each.

SET search_path = :"schema";

BEGIN;
INSERT INTO users SELECT n, 'user' || n || '@peers.test' FROM generate_series(:first, :last) n;
INSERT INTO accounts SELECT n, :balance FROM generate_series(:first, :last) n;
INSERT INTO ledger (user_id, unit, kind, amount, balance_after)
SELECT n, 'money', 'opening', :balance, :balance FROM generate_series(:first, :last) n;

INSERT INTO events VALUES (1, 'A night', :queue, :capacity, :pass_ttl);
INSERT INTO performances VALUES (1, 1);
INSERT INTO seats (id, performance_id, section, row_name, number, price)
SELECT n, 1, 'A', ((n - 1) / 50 + 1)::text, (n - 1) % 50 + 1, 1000 FROM generate_series(1, :seats) n;
COMMIT;

VACUUM ANALYZE;
