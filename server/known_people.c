/* The table's order (uthash keeps it) is the order in which people were last asked for. */
#include "server/known_people.h"

#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"
#include "proto/base/hash.h"

struct entry {
	struct digest digest;
	struct known_person person;
	UT_hash_handle hh;
};

struct known_people {
	size_t max;
	struct entry *entries;
};

struct known_people *known_people_new(size_t max)
{
	struct known_people *people = must_calloc(1, sizeof *people);

	CHECK(max > 0);
	people->max = max;
	return people;
}

static void drop(struct known_people *people, struct entry *entry)
{
	HASH_DEL(people->entries, entry);
	free(entry);
}

static struct entry *find(struct known_people *people, const struct digest *digest)
{
	struct entry *entry;

	HASH_FIND(hh, people->entries, digest, sizeof *digest, entry);
	return entry;
}

bool known_people_find(struct known_people *people, const struct digest *digest, int64_t now_unix_s,
	struct known_person *person)
{
	struct entry *entry = find(people, digest);

	if (entry == NULL)
		return false;
	if (entry->person.expires_unix_s <= now_unix_s) {
		drop(people, entry);
		return false;
	}
	HASH_DEL(people->entries, entry);
	HASH_ADD(hh, people->entries, digest, sizeof entry->digest, entry);
	*person = entry->person;
	return true;
}

void known_people_add(
	struct known_people *people, const struct digest *digest, const struct known_person *person)
{
	struct entry *entry = find(people, digest);

	if (entry != NULL)
		drop(people, entry);
	else if (HASH_COUNT(people->entries) >= people->max)
		drop(people, people->entries);
	entry = must_calloc(1, sizeof *entry);
	entry->digest = *digest;
	entry->person = *person;
	HASH_ADD(hh, people->entries, digest, sizeof entry->digest, entry);
}

void known_people_forget(struct known_people *people)
{
	struct entry *entry, *next;

	HASH_ITER (hh, people->entries, entry, next)
		drop(people, entry);
}

size_t known_people_count(const struct known_people *people)
{
	return HASH_COUNT(people->entries);
}

void known_people_free(struct known_people *people)
{
	if (people == NULL)
		return;
	known_people_forget(people);
	free(people);
}
