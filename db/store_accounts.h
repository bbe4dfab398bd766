/* People and their money: sign-up, accounts, the ledger, charges, log-in records. */
#ifndef ONSALE_DB_STORE_ACCOUNTS_H
#define ONSALE_DB_STORE_ACCOUNTS_H

#include "db/store.h"

/* Adds to the balance. Reply kept: 201. STORE_NOT_FOUND: no such user. STORE_REFUSED: the balance
 * would pass 10^15. Batched. */
struct store_charge {
	struct pg_op op;
	struct idem idem;
	int64_t user_id, amount;
	enum store_outcome outcome;
	struct store_reply reply;
};
void store_charge(struct pg *pg, struct store_charge *charge);

struct store_balance {
	struct pg_op op;
	int64_t user_id;
	bool found;
	int64_t balance, points;
};
void store_balance(struct pg *pg, struct store_balance *balance);

enum { STORE_HASH_SIZE = 128 }; /* libsodium's crypto_pwhash_STRBYTES */

/* What log-in needs of the account with this e-mail (compared without case). */
struct store_login {
	struct pg_op op;
	const char *email;
	bool found; /* and has a password */
	int64_t user_id;
	bool admin;
	char password_hash[STORE_HASH_SIZE];
};
void store_login(struct pg *pg, struct store_login *login);

/* Makes a person with an empty account, in one transaction. */
struct store_sign_up {
	struct pg_op op;
	const char *email, *name;
	const char *password_hash; /* with a salt of this sign-up's own: it names the request */
	bool taken; /* somebody has this e-mail (compared without case) */
	int64_t user_id; /* where it is not taken */
};
void store_sign_up(struct pg *pg, struct store_sign_up *sign_up);

/* The user that an outside identity provider's person is; the first time makes it, with an empty account. Only
 * that first time looks at email ("": none; one that somebody has is left out) and name. Batched. */
struct store_identify {
	struct pg_op op;
	const char *issuer, *subject, *email, *name;
	int64_t user_id;
};
void store_identify(struct pg *pg, struct store_identify *identify);

/* A person, as the contract shows it to itself. STORE_REPLY (200) or STORE_NOT_FOUND. Batched. */
struct store_me {
	struct pg_op op;
	int64_t user_id;
	const char *currency;
	enum store_outcome outcome;
	struct store_reply reply;
};
void store_me(struct pg *pg, struct store_me *me);

/* A page of a person's ledger, oldest first: entries whose ids are above `after`. STORE_REPLY (200) or
 * STORE_NOT_FOUND. */
struct store_ledger {
	struct pg_op op;
	int64_t user_id, after, limit;
	enum store_outcome outcome;
	struct store_reply reply;
};
void store_ledger(struct pg *pg, struct store_ledger *ledger);

#endif
