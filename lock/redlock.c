/* An acquire is a ballot: each node gets a slip, and its answer is a vote.
 *   redlock_acquire -> voted (once for each node) -> decide -> done
 *
 * It is decided as soon as the votes that came leave no doubt, so that a slow node is waited for only where the others
 * disagree. The ballot stays until its last slip is back: a lock that a node gives after the decision went against
 * us is given back then. */
#include "lock/redlock.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lock/scripts.h"
#include "lock/seat_lock.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"

enum {
	NODES_MIN = 3,
	NODES_MAX = 7,
	URL_SIZE = 1024,
	PREFIX_SIZE = 64,
	/* How far clocks may drift apart during a lock's life: the page's factor, and what Redis rounds. */
	DRIFT_PERCENT = 1,
	DRIFT_MS = 2
};

struct node {
	struct redlock *redlock;
	struct redis *redis;
	bool was_away;
};

struct redlock {
	struct node nodes[NODES_MAX];
	unsigned count, quorum;
	unsigned life_ms;
	bool closing;
	struct redlock_stats stats;
};

enum vote { VOTE_NONE, VOTE_OURS, VOTE_TAKEN, VOTE_AWAY };

/* What a node says of a seat. */
struct marker {
	char owner[DIGEST_HEX_SIZE]; /* "": it is free there */
	bool locking; /* its owner is still deciding */
};

struct slip {
	struct ballot *ballot;
	enum vote vote;
	bool may_be_ours; /* the node has locked the seats, or may yet: it did not answer in time */
};

struct ballot {
	struct redlock *redlock;
	redlock_done *done; /* NULL: decided */
	void *context;
	enum redlock_result result;
	uint64_t begun_us;
	unsigned out; /* slips that are not back */
	struct slip slips[NODES_MAX];
	char prefix[PREFIX_SIZE], owner[DIGEST_HEX_SIZE];
	int64_t seat_ids[SEAT_LOCK_MAX];
	size_t seat_count;
	struct marker markers[]; /* of node n and seat s at n * seat_count + s */
};

static const struct redis_script *const node_scripts[] = {
	&redlock_acquire_script,
	&lock_mark_script,
	&lock_generation_script,
	NULL,
};

/* --- nodes --- */

static void node_changed(void *context, bool up)
{
	struct node *node = context;
	unsigned nth = (unsigned)(node - node->redlock->nodes) + 1;

	if (!up) {
		log_warn("Redlock: Redis %u of %u is away", nth, node->redlock->count);
		node->was_away = true;
		return;
	}
	if (!node->was_away)
		return;
	log_info("Redlock: Redis %u of %u is back", nth, node->redlock->count);
	REDIS_ARGS(args, 1);
	redis_arg_text(&args, REDLOCK_META);
	redis_eval(node->redis, &lock_generation_script, 1, &args, NULL, NULL);
}

static bool add_node(struct redlock *redlock, struct event_base *base,
	const struct redis_settings *common, const char *url, size_t len, char *why,
	size_t why_size)
{
	char text[URL_SIZE], reason[256];
	struct redis_settings settings = *common;
	struct node *node = &redlock->nodes[redlock->count];

	if (redlock->count == NODES_MAX || len >= sizeof text) {
		snprintf(why, why_size, "lock.redlock_urls: too many of them, or too long a one");
		return false;
	}
	memcpy(text, url, len);
	text[len] = '\0';
	if (strcmp(text, "none") == 0) {
		snprintf(why, why_size, "lock.redlock_urls: none is no Redis");
		return false;
	}
	settings.url = text;
	node->redlock = redlock;
	node->redis = redis_new(base, &settings, node_scripts, reason, sizeof reason);
	if (node->redis == NULL) {
		snprintf(why, why_size, "lock.redlock_urls, number %u: %s", redlock->count + 1,
			reason);
		return false;
	}
	redis_on_change(node->redis, node_changed, node);
	redlock->count++;
	return true;
}

static bool add_nodes(struct redlock *redlock, struct event_base *base,
	const struct redlock_settings *settings, char *why, size_t why_size)
{
	static const char between[] = ", \t";
	const char *url = settings->urls + strspn(settings->urls, between);

	while (*url != '\0') {
		size_t len = strcspn(url, between);
		if (!add_node(redlock, base, &settings->node, url, len, why, why_size))
			return false;
		url += len + strspn(url + len, between);
	}
	if (redlock->count >= NODES_MIN && redlock->count % 2 == 1)
		return true;
	snprintf(why, why_size, "lock.redlock_urls: lock.mode redlock needs 3, 5 or 7, not %u",
		redlock->count);
	return false;
}

struct redlock *redlock_new(struct event_base *base, const struct redlock_settings *settings,
	char *why, size_t why_size)
{
	struct redlock *redlock = must_calloc(1, sizeof *redlock);

	redlock->life_ms = settings->life_ms;
	if (!add_nodes(redlock, base, settings, why, why_size)) {
		redlock_free(redlock);
		return NULL;
	}
	redlock->quorum = redlock->count / 2 + 1;
	return redlock;
}

/* A ballot ends when it has all its slips: those of the last node end the last of them. */
void redlock_free(struct redlock *redlock)
{
	if (redlock == NULL)
		return;
	redlock->closing = true;
	for (unsigned i = 0; i < redlock->count; i++)
		redis_free(redlock->nodes[i].redis);
	free(redlock);
}

/* What one node's failure decides may be sent to one whose turn was before: two rounds. */
void redlock_turn(struct redlock *redlock)
{
	for (unsigned i = 0; i < 2 * redlock->count; i++)
		redis_turn(redlock->nodes[i % redlock->count].redis);
}

unsigned redlock_pending(const struct redlock *redlock)
{
	unsigned pending = 0;

	for (unsigned i = 0; i < redlock->count; i++)
		pending += redis_pending(redlock->nodes[i].redis);
	return pending;
}

unsigned redlock_nodes_up(const struct redlock *redlock)
{
	unsigned up = 0;

	for (unsigned i = 0; i < redlock->count; i++)
		up += redis_up(redlock->nodes[i].redis);
	return up;
}

bool redlock_up(const struct redlock *redlock)
{
	return redlock_nodes_up(redlock) >= redlock->quorum;
}

const struct redlock_stats *redlock_stats(const struct redlock *redlock)
{
	return &redlock->stats;
}

void redlock_tell(
	struct redlock *redlock, const struct redis_script *script, const struct redis_args *args)
{
	for (unsigned i = 0; i < redlock->count && !redlock->closing; i++)
		redis_eval(redlock->nodes[i].redis, script, 1, args, NULL, NULL);
}

/* --- counting votes --- */

static const struct marker *marker_at(const struct ballot *ballot, unsigned node, size_t seat)
{
	return &ballot->markers[node * ballot->seat_count + seat];
}

static unsigned votes(const struct ballot *ballot, enum vote vote)
{
	unsigned count = 0;

	for (unsigned i = 0; i < ballot->redlock->count; i++)
		count += ballot->slips[i].vote == vote;
	return count;
}

/* How many nodes name the same other owner of a seat: the most that any owner has; and whether he is deciding. */
static unsigned most_of_seat(const struct ballot *ballot, size_t seat, bool *locking)
{
	unsigned nodes = ballot->redlock->count, most = 0;

	for (unsigned i = 0; i < nodes; i++) {
		const struct marker *marker = marker_at(ballot, i, seat);
		unsigned same = 0;
		bool all_locking = true;

		for (unsigned j = 0; j < nodes && marker->owner[0] != '\0'; j++) {
			const struct marker *other = marker_at(ballot, j, seat);
			if (strcmp(other->owner, marker->owner) != 0)
				continue;
			same++;
			all_locking = all_locking && other->locking;
		}
		if (same > most) {
			most = same;
			*locking = all_locking;
		}
	}
	return most;
}

/* The seats that somebody else has on most nodes. open: somebody might still come to have one. */
static size_t find_taken(const struct ballot *ballot, int64_t *taken_ids, bool *locking, bool *open)
{
	unsigned quorum = ballot->redlock->quorum;
	size_t count = 0;

	*locking = true;
	*open = false;
	for (size_t seat = 0; seat < ballot->seat_count; seat++) {
		bool seat_locking = false;
		unsigned most = most_of_seat(ballot, seat, &seat_locking);

		*open = *open || most + ballot->out >= quorum;
		if (most < quorum)
			continue;
		*locking = *locking && seat_locking;
		taken_ids[count++] = ballot->seat_ids[seat];
	}
	return count;
}

/* Validity: what is left of a lock's life, by the clock that drifted furthest. */
static bool still_valid(const struct ballot *ballot)
{
	uint64_t life_ms = ballot->redlock->life_ms;
	uint64_t drift_ms = life_ms * DRIFT_PERCENT / 100 + DRIFT_MS;
	uint64_t elapsed_ms = (clock_mono_us_now() - ballot->begun_us + 999) / 1000;

	return elapsed_ms + drift_ms < life_ms;
}

/* --- the decision --- */

static void release_on(struct ballot *ballot, unsigned node)
{
	struct redlock *redlock = ballot->redlock;
	REDIS_ARGS(args, MARK_HEAD_ARGS + MARK_ARGS + SEAT_LOCK_MAX);

	if (redlock->closing)
		return;
	redis_arg_text(&args, REDLOCK_META);
	redis_arg_text(&args, ballot->prefix);
	redis_arg_text(&args, "0");
	redis_arg_text(&args, ballot->owner);
	redis_arg_text(&args, MARK_FREE);
	redis_arg_text(&args, "0");
	redis_arg_i64(&args, (int64_t)ballot->seat_count);
	for (size_t i = 0; i < ballot->seat_count; i++)
		redis_arg_i64(&args, ballot->seat_ids[i]);
	redis_eval(redlock->nodes[node].redis, &lock_mark_script, 1, &args, NULL, NULL);
}

static void decided(struct ballot *ballot, enum redlock_result result, const int64_t *taken_ids,
	size_t taken_count)
{
	struct redlock *redlock = ballot->redlock;
	redlock_done *done = ballot->done;

	redlock->stats.split += result == REDLOCK_SPLIT;
	redlock->stats.away += result == REDLOCK_AWAY;
	ballot->result = result;
	ballot->done = NULL;
	for (unsigned i = 0; result != REDLOCK_OURS && i < redlock->count; i++)
		if (ballot->slips[i].may_be_ours)
			release_on(ballot, i);
	done(ballot->context, result, taken_ids, taken_count);
}

/* Decides, if the votes that came leave no doubt. */
static void decide(struct ballot *ballot)
{
	const struct redlock *redlock = ballot->redlock;
	unsigned ours = votes(ballot, VOTE_OURS), away = votes(ballot, VOTE_AWAY);
	int64_t taken_ids[SEAT_LOCK_MAX];
	bool locking, open;
	size_t taken = find_taken(ballot, taken_ids, &locking, &open);

	if (ours >= redlock->quorum)
		decided(ballot, still_valid(ballot) ? REDLOCK_OURS : REDLOCK_SPLIT, NULL, 0);
	else if (taken > 0)
		decided(ballot, locking ? REDLOCK_LOCKING : REDLOCK_TAKEN, taken_ids, taken);
	else if (away > redlock->count - redlock->quorum)
		decided(ballot, REDLOCK_AWAY, NULL, 0);
	else if (ours + ballot->out < redlock->quorum && !open)
		decided(ballot, REDLOCK_SPLIT, NULL, 0);
}

/* --- votes --- */

/* "<owner>:<state>", as lock/seat_lock.h says; "" where it is free. */
static bool read_marker(const struct redis_value *value, struct marker *marker)
{
	size_t len;
	const char *text = redis_text(value, &len);

	if (len == 0)
		return true;
	if (len < 3 || len - 2 >= sizeof marker->owner || text[len - 2] != ':')
		return false;
	memcpy(marker->owner, text, len - 2);
	marker->owner[len - 2] = '\0';
	marker->locking = text[len - 1] == 'L';
	return true;
}

static enum vote read_vote(struct ballot *ballot, unsigned node, enum db_result result,
	const struct redis_value *value)
{
	size_t len;

	if (result != DB_OK)
		return VOTE_AWAY;
	if (strcmp(redis_text(value, &len), "ours") == 0)
		return VOTE_OURS;
	bool good = redis_len(value) == ballot->seat_count;
	for (size_t i = 0; good && i < ballot->seat_count; i++)
		good = read_marker(
			redis_at(value, i), &ballot->markers[node * ballot->seat_count + i]);
	if (!good)
		log_error("lock/redlock_acquire.lua: a reply that makes no sense");
	return good ? VOTE_TAKEN : VOTE_AWAY;
}

static void voted(void *context, enum db_result result, const struct redis_value *value)
{
	struct slip *slip = context;
	struct ballot *ballot = slip->ballot;
	unsigned node = (unsigned)(slip - ballot->slips);

	slip->vote = read_vote(ballot, node, result, value);
	slip->may_be_ours = slip->vote == VOTE_OURS || result == DB_UNKNOWN;
	ballot->out--;
	if (ballot->done != NULL)
		decide(ballot);
	else if (slip->may_be_ours && ballot->result != REDLOCK_OURS)
		release_on(ballot, node);
	if (ballot->out == 0) {
		CHECK(ballot->done == NULL);
		free(ballot);
	}
}

/* --- acquire --- */

static struct ballot *ballot_new(struct redlock *redlock, const char *prefix, const char *owner,
	const int64_t *seat_ids, size_t seat_count)
{
	struct ballot *ballot;
	size_t markers = redlock->count * seat_count;

	CHECK(strlen(prefix) < PREFIX_SIZE && strlen(owner) < DIGEST_HEX_SIZE);
	CHECK(seat_count > 0 && seat_count <= SEAT_LOCK_MAX);
	ballot = must_calloc(1, sizeof *ballot + markers * sizeof ballot->markers[0]);
	ballot->redlock = redlock;
	ballot->begun_us = clock_mono_us_now();
	strcpy(ballot->prefix, prefix);
	strcpy(ballot->owner, owner);
	memcpy(ballot->seat_ids, seat_ids, seat_count * sizeof *seat_ids);
	ballot->seat_count = seat_count;
	ballot->out = redlock->count;
	return ballot;
}

void redlock_acquire(struct redlock *redlock, const char *prefix, const char *owner,
	const int64_t *seat_ids, size_t seat_count, redlock_done *done, void *context)
{
	struct ballot *ballot = ballot_new(redlock, prefix, owner, seat_ids, seat_count);
	REDIS_ARGS(args, 4 + SEAT_LOCK_MAX);

	CHECK(!redlock->closing);
	ballot->done = done;
	ballot->context = context;
	redis_arg_text(&args, REDLOCK_META);
	redis_arg_text(&args, prefix);
	redis_arg_text(&args, owner);
	redis_arg_i64(&args, redlock->life_ms);
	for (size_t i = 0; i < seat_count; i++)
		redis_arg_i64(&args, seat_ids[i]);
	for (unsigned i = 0; i < redlock->count; i++) {
		ballot->slips[i].ballot = ballot;
		redis_eval(redlock->nodes[i].redis, &redlock_acquire_script, 1, &args, voted,
			&ballot->slips[i]);
	}
}
