/* The password worker: right and wrong passwords, new hashes, accounts that do not exist, its limit, its
 * end. */
#include "server/hasher.h"

#include <criterion/criterion.h>
#include <event2/event.h>
#include <sodium.h>
#include <string.h>
#include <time.h>
#include "proto/base/check.h"

enum { CHEAP_KIB = 64, DEAR_KIB = 19456, JOBS = 200, LIMIT_S = 20 };

static struct event_base *base;
static struct hasher *hasher;

static void open_hasher(unsigned memory_kib)
{
	base = event_base_new();
	hasher = hasher_new(base, memory_kib, 1);
}

static void close_hasher(void)
{
	hasher_free(hasher);
	if (base)
		event_base_free(base);
}

TestSuite(hasher, .fini = close_hasher);

struct login {
	struct hasher_job job;
	unsigned answers;
	bool match;
};

static void answered(struct hasher_job *job, bool ok)
{
	struct login *login = job->owner;
	login->answers++;
	login->match = ok;
	cr_expect(sodium_is_zero((const unsigned char *)job->password, sizeof job->password),
		"the password is wiped");
}

static struct login *login_init(struct login *login, const char *hash, const char *password)
{
	*login = (struct login){.job = {.done = answered, .owner = login}};
	strcpy(login->job.hash, hash);
	strcpy(login->job.password, password);
	return login;
}

static void too_late(evutil_socket_t fd UNUSED, short what UNUSED, void *context UNUSED)
{
	cr_assert_fail("no answer in time");
}

static void wait_for(const struct login *login)
{
	struct event *limit = evtimer_new(base, too_late, NULL);
	event_add(limit, &(struct timeval){.tv_sec = LIMIT_S});
	while (login->answers == 0)
		event_base_loop(base, EVLOOP_ONCE);
	event_free(limit);
}

static bool verify(struct login *login)
{
	cr_assert(hasher_verify(hasher, &login->job));
	cr_assert_eq(login->answers, 0, "done was called before the submitting call returned");
	wait_for(login);
	cr_assert_eq(login->answers, 1);
	return login->match;
}

static const char *hash_of(const char *password, unsigned memory_kib)
{
	static char hash[HASHER_HASH_SIZE];
	hasher_hash_now(password, memory_kib, 1, hash);
	return hash;
}

Test(hasher, hashes_are_argon2id_of_the_cost_asked_for)
{
	char hash[HASHER_HASH_SIZE], other[HASHER_HASH_SIZE];
	hasher_hash_now("secret", CHEAP_KIB, 3, hash);
	hasher_hash_now("secret", CHEAP_KIB, 3, other);
	cr_expect(strncmp(hash, "$argon2id$v=19$m=64,t=3,p=1$", 28) == 0, "%s", hash);
	cr_expect_str_neq(hash, other, "each has a salt of its own");
	cr_expect_eq(crypto_pwhash_str_verify(hash, "secret", 6), 0);
}

Test(hasher, tells_right_from_wrong)
{
	struct login login;
	open_hasher(CHEAP_KIB);
	const char *hash = hash_of("correct horse", CHEAP_KIB);
	cr_expect(verify(login_init(&login, hash, "correct horse")));
	cr_expect_not(verify(login_init(&login, hash, "correct horsf")));
	cr_expect_not(verify(login_init(&login, hash, "")));
	cr_expect_not(verify(login_init(&login, "no hash at all", "correct horse")));
}

Test(hasher, makes_hashes_of_its_own_cost)
{
	struct login made, login;
	open_hasher(CHEAP_KIB);
	cr_assert(hasher_make(hasher, &login_init(&made, "", "correct horse")->job));
	cr_assert_eq(made.answers, 0, "done was called before the submitting call returned");
	wait_for(&made);
	cr_expect(made.answers == 1 && made.match);
	cr_expect(strncmp(made.job.hash, "$argon2id$v=19$m=64,t=1,p=1$", 28) == 0, "%s",
		made.job.hash);
	cr_expect(verify(login_init(&login, made.job.hash, "correct horse")));
	cr_expect_not(verify(login_init(&login, made.job.hash, "correct horsf")));
}

Test(hasher, takes_the_longest_password)
{
	struct login login;
	char password[HASHER_PASSWORD_SIZE] = {0};
	open_hasher(CHEAP_KIB);
	memset(password, 'p', sizeof password - 1);
	const char *hash = hash_of(password, CHEAP_KIB);
	cr_expect(verify(login_init(&login, hash, password)));
	password[sizeof password - 2] = 'q';
	cr_expect_not(verify(login_init(&login, hash, password)));
}

/* Processor time, not time: other tests run beside this one. */
static int64_t cpu_us(const char *hash, const char *password)
{
	struct timespec begin, end;
	struct login login;
	login_init(&login, hash, password);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	cr_expect_not(verify(&login));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	return (end.tv_sec - begin.tv_sec) * 1000000 + (end.tv_nsec - begin.tv_nsec) / 1000;
}

Test(hasher, an_unknown_account_matches_nothing_and_costs_the_same)
{
	int64_t wrong_us = 0, unknown_us = 0;
	open_hasher(DEAR_KIB);
	const char *hash = hash_of("secret", DEAR_KIB);
	for (int i = 0; i < 5; i++) {
		wrong_us += cpu_us(hash, "wrong");
		unknown_us += cpu_us("", "");
	}
	cr_expect(unknown_us > wrong_us / 2 && unknown_us < wrong_us * 2, "%lld and %lld us",
		(long long)unknown_us, (long long)wrong_us);
}

static void count_turn(evutil_socket_t fd UNUSED, short what UNUSED, void *context)
{
	++*(unsigned *)context;
}

Test(hasher, the_loop_turns_meanwhile)
{
	struct login login;
	unsigned turns = 0;
	open_hasher(4 * DEAR_KIB);
	struct event *ticks = event_new(base, -1, EV_PERSIST, count_turn, &turns);
	event_add(ticks, &(struct timeval){.tv_usec = 1000});
	verify(login_init(&login, "", "secret"));
	cr_expect(turns > 1, "%u", turns);
	event_free(ticks);
}

/* Queues jobs until one is refused; their number. */
static unsigned fill(struct login *logins)
{
	unsigned taken = 0;
	while (taken < JOBS &&
		hasher_verify(hasher, &login_init(&logins[taken], "", "secret")->job))
		taken++;
	return taken;
}

Test(hasher, refuses_what_would_wait_behind_too_many)
{
	static struct login logins[JOBS];
	open_hasher(DEAR_KIB);
	unsigned taken = fill(logins);
	cr_assert(taken >= HASHER_WAITING_MAX && taken < JOBS, "%u", taken);
	cr_expect_eq(logins[taken].job.password[0], '\0', "a refused one is wiped too");
	wait_for(&logins[taken - 1]);
	for (unsigned i = 0; i < taken; i++)
		cr_expect_eq(logins[i].answers, 1);
	cr_expect_eq(logins[taken].answers, 0);
	struct login again;
	cr_expect_not(verify(login_init(&again, "", "secret")), "there is room again");
}

Test(hasher, answers_all_when_it_ends)
{
	static struct login logins[JOBS];
	open_hasher(DEAR_KIB);
	unsigned taken = fill(logins);
	hasher_free(hasher);
	hasher = NULL;
	for (unsigned i = 0; i < taken; i++) {
		cr_expect_eq(logins[i].answers, 1);
		cr_expect_not(logins[i].match);
	}
}
