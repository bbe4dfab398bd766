/* What is on sale: events with their lines' settings, performances, seats. */
#ifndef ONSALE_DB_STORE_CATALOG_H
#define ONSALE_DB_STORE_CATALOG_H

#include "db/store.h"
#include "proto/shuffle.h"

enum { STORE_TITLE_SIZE = 801, STORE_VENUE_SIZE = 801, STORE_MESSAGE_SIZE = 2001 };
enum { STORE_SECTION_NAME_MAX = 60 }; /* code points */

struct store_event {
	int64_t id;
	char title[STORE_TITLE_SIZE], venue[STORE_VENUE_SIZE]; /* 200 code points */
	bool has_opening;
	int64_t sale_opens_unix_ms;
	bool queue_enabled, queue_paused;
	int64_t capacity, admit_per_second, pass_ttl_seconds, abandon_after_seconds;
	char message[STORE_MESSAGE_SIZE]; /* 500 code points; "" where there is none */
	char commitment[SHUFFLE_HEX_SIZE]; /* of the line's shuffle; "" where it has none */
	int64_t revision; /* grows with each change of any event: a number from one sequence */
};

struct store_performance {
	int64_t id, event_id, starts_unix_ms, seats_total;
	int64_t revision;
};

/* Events and performances whose revision is above `after`, oldest first, at most `limit` rows each:
 * what an instance reads every second to know what is on sale. A revision is taken under a lock, so
 * that none becomes visible after a higher one. */
struct store_changes {
	struct pg_op op;
	int64_t events_after, performances_after, limit;
	struct store_event *events; /* owned by the operation; store_changes_free */
	struct store_performance *performances;
	size_t event_count, performance_count;
};
void store_changes(struct pg *pg, struct store_changes *changes);
void store_changes_free(struct store_changes *changes);

/* Seats of each performance that nobody holds (a lapsed hold counts as none) or has bought, and seats
 * sold. Reads only index entries of seats that are taken. */
struct store_availability {
	struct pg_op op;
	const int64_t *performance_ids; /* in; at most 4,096 */
	size_t count;
	int64_t *available, *sold; /* out, in the same order; arrays of the caller's */
};
void store_availability(struct pg *pg, struct store_availability *availability);

/* What never changes of a performance's seats, in order of section, row, number: a line a seat, its JSON object
 * up to the status, `{"id":…,"status":"`. */
struct store_seat_list {
	struct pg_op op;
	int64_t performance_id;
	bool found;
	char *lines; /* each ended by a line feed; owned by the operation; store_seat_list_free */
	size_t lines_len;
};
void store_seat_list(struct pg *pg, struct store_seat_list *list);
void store_seat_list_free(struct store_seat_list *list);

/* Their states in the same order, judged at the read. */
struct store_seat_letters {
	struct pg_op op;
	int64_t performance_id;
	bool found;
	char *letters; /* one a seat: A, H, S; owned by the operation; store_seat_letters_free */
	size_t letters_len;
	bool lapses; /* a hold among them will lapse … */
	int64_t lapse_in_ms; /* … the first this long after the read */
};
void store_seat_letters(struct pg *pg, struct store_seat_letters *letters);
void store_seat_letters_free(struct store_seat_letters *letters);

/* --- operators --- */

/* Creates an event; in: event (id, commitment and revision aside); out: its id, and where it opens in the future,
 * by PostgreSQL's clock, the commitment of its line's shuffle. */
struct store_event_create {
	struct pg_op op;
	struct store_event event;
	uint8_t seed[SHUFFLE_SEED_SIZE]; /* of the shuffle, should it have one */
	int64_t admin_id; /* who: goes into the audit trail */
};
void store_event_create(struct pg *pg, struct store_event_create *create);

struct store_section {
	const char *name;
	int64_t rows, seats_per_row, price;
};

/* Creates a performance and generates its seats: rows "A".."Z", "AA".., numbers from 1. */
struct store_performance_create {
	struct pg_op op;
	int64_t admin_id, event_id, starts_unix_ms;
	const struct store_section *sections;
	size_t section_count;
	bool found; /* the event exists */
	int64_t id, seats_total;
};
void store_performance_create(struct pg *pg, struct store_performance_create *create);

/* Changes some of a line's settings. */
struct store_queue_update {
	struct pg_op op;
	int64_t admin_id, event_id;
	bool set_enabled, set_paused, set_capacity, set_admit_per_second, set_pass_ttl,
		set_abandon_after, set_message;
	struct store_event event; /* in: the new values; out: the event as it is now */
	bool found;
};
void store_queue_update(struct pg *pg, struct store_queue_update *update);

/* A new epoch of an event's line: a number that no one else was given. 1 for the first. */
enum store_shuffle_state { STORE_SHUFFLE_NONE, STORE_SHUFFLE_TO_COME, STORE_SHUFFLE_DONE };
struct store_epoch {
	struct pg_op op;
	int64_t event_id;
	bool found;
	int64_t epoch;
	enum store_shuffle_state shuffle; /* of the line */
};
void store_epoch(struct pg *pg, struct store_epoch *epoch);

#endif
