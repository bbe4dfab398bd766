/* A table of lines, in each a table of users. A line is written once its oldest beat is due, a few
 * chunks a turn, and all lines at once where there are too many beats. A beat that Redis does not get
 * is lost: the next poll brings another, and a tick that finds a gap gives everybody time. */
#include "queue/heartbeats.h"

#include <stdlib.h>
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/hash.h"
#include "queue/scripts.h"

enum {
	BEATS_MAX = 100000,
	CHUNK = 500,
	CHUNKS_A_TURN = 4,
	WRITE_WITHIN_MS = 1000,
	SHARE_OF_ABANDON = 8
};

struct beat {
	int64_t user_id;
	UT_hash_handle hh;
};

struct beats_line {
	int64_t event_id;
	uint64_t due_ms;
	struct beat *beats;
	UT_hash_handle hh;
};

struct heartbeats {
	struct redis *redis;
	struct beats_line *lines;
	uint64_t due_ms; /* of the first line that is; means something while there are lines */
	unsigned count; /* beats in all lines */
};

struct heartbeats *heartbeats_new(struct redis *redis)
{
	struct heartbeats *heartbeats = must_calloc(1, sizeof *heartbeats);

	heartbeats->redis = redis;
	return heartbeats;
}

static void line_free(struct heartbeats *heartbeats, struct beats_line *line)
{
	struct beat *beat, *next;

	heartbeats->count -= HASH_COUNT(line->beats);
	HASH_ITER (hh, line->beats, beat, next) {
		HASH_DEL(line->beats, beat);
		free(beat);
	}
	HASH_DEL(heartbeats->lines, line);
	free(line);
}

void heartbeats_free(struct heartbeats *heartbeats)
{
	struct beats_line *line, *next;

	HASH_ITER (hh, heartbeats->lines, line, next)
		line_free(heartbeats, line);
	free(heartbeats);
}

/* Sends up to a chunk of a line's beats, oldest first, and forgets them. */
static void write_chunk(struct heartbeats *heartbeats, struct beats_line *line)
{
	struct queue_call call;
	struct beat *beat;
	REDIS_ARGS(args, QUEUE_KEYS_MAX + CHUNK);

	queue_call_begin(&call, &queue_script_seen, line->event_id, &args);
	for (unsigned i = 0; i < CHUNK && (beat = line->beats) != NULL; i++) {
		redis_arg_i64(&args, beat->user_id);
		HASH_DEL(line->beats, beat);
		free(beat);
		heartbeats->count--;
	}
	queue_call_send(&call, heartbeats->redis, NULL, NULL);
}

static struct beats_line *find_line(struct heartbeats *heartbeats, int64_t event_id)
{
	struct beats_line *line;

	HASH_FIND(hh, heartbeats->lines, &event_id, sizeof event_id, line);
	if (line)
		return line;
	line = must_calloc(1, sizeof *line);
	line->event_id = event_id;
	line->due_ms = UINT64_MAX;
	HASH_ADD(hh, heartbeats->lines, event_id, sizeof line->event_id, line);
	return line;
}

void heartbeats_note(
	struct heartbeats *heartbeats, int64_t event_id, int64_t user_id, int64_t abandon_after_ms)
{
	struct beats_line *line = find_line(heartbeats, event_id);
	int64_t share_ms = abandon_after_ms > 0 ? abandon_after_ms / SHARE_OF_ABANDON
						: WRITE_WITHIN_MS;
	uint64_t due_ms = clock_mono_ms() +
			  (uint64_t)(share_ms < WRITE_WITHIN_MS ? share_ms : WRITE_WITHIN_MS);
	struct beat *beat;

	HASH_FIND(hh, line->beats, &user_id, sizeof user_id, beat);
	if (!beat) {
		beat = must_calloc(1, sizeof *beat);
		beat->user_id = user_id;
		HASH_ADD(hh, line->beats, user_id, sizeof beat->user_id, beat);
		heartbeats->count++;
	}
	if (due_ms < line->due_ms)
		line->due_ms = due_ms;
	if (heartbeats->due_ms > line->due_ms || HASH_COUNT(heartbeats->lines) == 1)
		heartbeats->due_ms = line->due_ms;
}

/* A line of which beats are left stays due: they go in the next turns, so that polls get in between. */
void heartbeats_turn(struct heartbeats *heartbeats)
{
	uint64_t now = clock_mono_ms(), next_due_ms = UINT64_MAX;
	bool full = heartbeats->count >= BEATS_MAX;
	struct beats_line *line, *next;
	unsigned chunks = 0;

	if (!heartbeats->lines || (now < heartbeats->due_ms && !full))
		return;
	HASH_ITER (hh, heartbeats->lines, line, next) {
		while (line->beats && (full || (line->due_ms <= now && chunks < CHUNKS_A_TURN))) {
			write_chunk(heartbeats, line);
			chunks++;
		}
		if (!line->beats)
			line_free(heartbeats, line);
		else if (line->due_ms < next_due_ms)
			next_due_ms = line->due_ms;
	}
	heartbeats->due_ms = next_due_ms;
}
