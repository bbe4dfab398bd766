-- One payment a transaction, in one round trip: the client's next reservation out of a share of its own.
\set n :n + 1
\set reservation :first_reservation + :client_id * :share + :n
SELECT pay_one(int8send(:reservation) || int8send(:run * 1000 + :client_id), :reservation);
