/* What is kept under a key: successes, and the refusals 402, 409 and 410; other refusals are judged afresh
 * at each try. request_in_flight is no reply that says what happened: it does not come here. */
#include "tests/support/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"

size_t history_add(struct history *history, enum keyed_kind kind, int64_t user_id, const char *key)
{
	if (history->count == history->room) {
		history->room = history->room > 0 ? 2 * history->room : 256;
		history->entries = must_realloc(
			history->entries, history->room * sizeof *history->entries);
	}
	struct keyed_entry *entry = &history->entries[history->count];
	*entry = (struct keyed_entry){.kind = kind, .user_id = user_id};
	snprintf(entry->key, sizeof entry->key, "%s", key);
	return history->count++;
}

struct keyed_entry *history_at(struct history *history, size_t i)
{
	CHECK(i < history->count);
	return &history->entries[i];
}

void history_sent(struct history *history, size_t i)
{
	history_at(history, i)->sent++;
}

void history_unknown(struct history *history, size_t i)
{
	history_at(history, i)->unknowns++;
}

static bool is_taken(int status, const char *body)
{
	return status == 409 && strstr(body, "\"seat_unavailable\"") != NULL;
}

/* A refusal because somebody else has the seats is Redis's own where it came from there; of two tries at once
 * the one that Redis refused may be answered after the one that PostgreSQL let through. */
static bool may_be_rejudged(
	const struct history *history, const struct keyed_entry *entry, const struct answer *answer)
{
	return history->redis_lost && entry->kind == KEYED_HOLD &&
	       (is_taken(entry->status, entry->body) || is_taken(answer->status, answer->body));
}

/* What PostgreSQL let through stands. */
static void rejudge(struct keyed_entry *entry, const struct answer *answer)
{
	entry->fresh = 0;
	if (strcmp(answer->body, entry->body) == 0)
		return;
	entry->rejudged++;
	if (entry->outcome == OUTCOME_OK)
		return;
	entry->status = answer->status;
	entry->outcome = answer->status == 201 ? OUTCOME_OK : OUTCOME_REFUSED;
	free(entry->body);
	entry->body = must_strdup(answer->body);
}

void history_reply(struct history *history, size_t i, const struct answer *answer)
{
	struct keyed_entry *entry = history_at(history, i);
	int status = answer->status;

	bool kept = status == 201 || status == 402 || status == 409 || status == 410;

	if (entry->outcome == OUTCOME_UNKNOWN && status / 100 == 4)
		entry->outcome = OUTCOME_REFUSED; /* definite too, where nothing is kept */
	if (!kept)
		return;
	entry->fresh += !answer_header_is(answer, "idempotent-replayed", "true");
	if (entry->body == NULL) {
		entry->outcome = status == 201 ? OUTCOME_OK : OUTCOME_REFUSED;
		entry->status = status;
		entry->body = must_strdup(answer->body);
		return;
	}
	if (may_be_rejudged(history, entry, answer)) {
		rejudge(entry, answer);
		return;
	}
	entry->different += status != entry->status || strcmp(answer->body, entry->body) != 0;
}

size_t history_unknowns(const struct history *history)
{
	size_t count = 0;

	for (size_t i = 0; i < history->count; i++)
		count += history->entries[i].unknowns;
	return count;
}

void history_free(struct history *history)
{
	for (size_t i = 0; i < history->count; i++)
		free(history->entries[i].body);
	free(history->entries);
	*history = (struct history){0};
}
