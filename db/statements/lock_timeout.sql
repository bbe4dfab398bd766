-- For the rest of this transaction: what an operation that runs alone is given in place of the
-- session's lock_timeout.
select set_config('lock_timeout', $1, true)
