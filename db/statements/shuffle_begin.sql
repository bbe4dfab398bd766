UPDATE shuffles SET drafts = drafts + 1 WHERE event_id = $1 RETURNING seed, drafts, opened_at IS NOT NULL
