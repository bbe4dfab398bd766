/* A memory that forgets: what has expired, and what was not asked for the longest. */
#include "server/known_people.h"

#include <criterion/criterion.h>

enum { NOW = 1000 };

static struct digest digest_number(int64_t number)
{
	struct digest_part part = {&number, sizeof number};

	return digest_of(&part, 1);
}

static void add(struct known_people *people, int64_t number, int64_t expires_unix_s)
{
	struct digest digest = digest_number(number);
	struct known_person person = {.user_id = number, .expires_unix_s = expires_unix_s};

	known_people_add(people, &digest, &person);
}

static bool knows(struct known_people *people, int64_t number, int64_t now_unix_s)
{
	struct digest digest = digest_number(number);
	struct known_person person = {0};
	bool known = known_people_find(people, &digest, now_unix_s, &person);

	cr_expect(!known || person.user_id == number);
	return known;
}

Test(known_people, are_forgotten_when_they_expire)
{
	struct known_people *people = known_people_new(3);

	cr_expect_not(knows(people, 1, NOW));
	add(people, 1, NOW + 1);
	add(people, 2, INT64_MAX);
	cr_expect(knows(people, 1, NOW) && knows(people, 2, INT64_MAX - 1));
	cr_expect_not(knows(people, 1, NOW + 1));
	cr_expect_eq(known_people_count(people), 1);
	cr_expect_not(knows(people, 1, NOW), "it is gone, and not only hidden");
	add(people, 2, NOW + 5); /* said anew */
	cr_expect_not(knows(people, 2, NOW + 5));
	known_people_free(people);
	known_people_free(NULL);
}

Test(known_people, are_so_many_at_most)
{
	struct known_people *people = known_people_new(3);

	for (int64_t i = 1; i <= 3; i++)
		add(people, i, INT64_MAX);
	cr_expect(knows(people, 1, NOW));
	add(people, 4, INT64_MAX);
	cr_expect_eq(known_people_count(people), 3);
	cr_expect_not(knows(people, 2, NOW), "not asked for the longest");
	cr_expect(knows(people, 1, NOW) && knows(people, 3, NOW) && knows(people, 4, NOW));
	known_people_forget(people);
	cr_expect_eq(known_people_count(people), 0);
	cr_expect_not(knows(people, 1, NOW));
	add(people, 1, INT64_MAX);
	cr_expect(knows(people, 1, NOW));
	known_people_free(people);
}
