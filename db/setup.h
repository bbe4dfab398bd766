/* What the commands write: people in bulk, an operator, the demo. These block. */
#ifndef ONSALE_DB_SETUP_H
#define ONSALE_DB_SETUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pg_session;

/* Creates `count` people with that balance (an opening row in the ledger) and gives each one's id to `made`,
 * ascending. All or none; false with the reason in `why`. They have no password. */
bool setup_users(struct pg_session *session, int64_t count, int64_t balance, bool admin,
	void (*made)(void *context, int64_t id), void *context, char *why, size_t why_size);

/* A person with a password; where the e-mail is known already, the role and the password are set anew, and
 * the balance stays. */
struct setup_person {
	const char *email, *name, *password_hash;
	bool admin;
	int64_t balance; /* of a new account */
};
bool setup_person(
	struct pg_session *session, const struct setup_person *person, char *why, size_t why_size);

/* The demo's events, performances and seats, where there is no event yet. */
bool setup_demo(struct pg_session *session, char *why, size_t why_size);

#endif
