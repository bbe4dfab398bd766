-- One hold a transaction, in one round trip: the client's next seat out of a share of its own.
\set n :n + 1
\set seat :first_seat + :client_id * :share + :n
\set person :first_person + (:seat % :people)
SELECT hold_one(int8send(:seat) || int8send(:run * 1000 + :client_id), :person, :performance, :seat);
