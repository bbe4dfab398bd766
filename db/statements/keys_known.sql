-- $1 event. Whether a seat of the event was ever held: a seat's version grows with its first hold.
SELECT EXISTS (
	SELECT FROM performances p JOIN seats s ON s.performance_id = p.id
	WHERE p.event_id = $1 AND s.version > 0)
