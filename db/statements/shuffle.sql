SELECT encode(commitment, 'hex'), encode(seed, 'hex'), encode(entrants_digest, 'hex'), count,
	(extract(epoch FROM opened_at) * 1000)::bigint
FROM shuffles WHERE event_id = $1 AND opened_at IS NOT NULL
