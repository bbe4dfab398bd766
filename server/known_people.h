/* A bounded memory of who somebody is: by the digest of a token that was verified, or of what an identity
 * provider calls a person. What was not asked for the longest goes first. */
#ifndef ONSALE_SERVER_KNOWN_PEOPLE_H
#define ONSALE_SERVER_KNOWN_PEOPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "proto/digest.h"

struct known_people;

/* Some 110 bytes each. */
enum { KNOWN_PEOPLE_MAX = 131072 };

struct known_person {
	int64_t user_id;
	bool admin;
	int64_t expires_unix_s; /* forgotten then */
};

struct known_people *known_people_new(size_t max);
void known_people_free(struct known_people *people);

bool known_people_find(struct known_people *people, const struct digest *digest, int64_t now_unix_s,
	struct known_person *person);
void known_people_add(struct known_people *people, const struct digest *digest,
	const struct known_person *person);
void known_people_forget(struct known_people *people); /* all */
size_t known_people_count(const struct known_people *people);

#endif
