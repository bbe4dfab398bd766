-- hold.sql through our own function with arrays of one.
\set n :n + 1
\set seat :first_seat + :client_id * :share + :n
\set person :first_person + (:seat % :people)
SELECT hold_one_of_ours(int8send(:seat) || int8send(:run * 1000 + :client_id), :person, :performance, :seat);
