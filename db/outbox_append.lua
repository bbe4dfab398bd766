-- Appends a batch of events to the stream, in its order; what is too old for the stream's length goes. Where it
-- breaks off, the events before that are in it: the batch comes again, and the order of first entries holds.
--
-- KEYS  1 stream
-- ARGV  1 its length   then of each event: id, kind, reservation, payload, when it happened
for i = 2, #ARGV, 5 do
	redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'id', ARGV[i], 'kind', ARGV[i + 1],
		'reservation_id', ARGV[i + 2], 'payload', ARGV[i + 3], 'created_at', ARGV[i + 4])
end
return (#ARGV - 1) / 5
