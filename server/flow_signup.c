/* Sign up: argon2id on the worker thread, then the person and its account in one transaction, where the
 * unique index over e-mail addresses decides.
 *   signup_start -> password_hashed -> signed_up -> end */
#include <sodium.h>
#include <string.h>
#include "db/store_accounts.h"
#include "proto/json.h"
#include "server/flow.h"
#include "server/flows.h"
#include "server/hasher.h"

/* In code points. */
enum { EMAIL_MAX = 254, PASSWORD_MIN = 8, PASSWORD_MAX = 256, NAME_MAX_POINTS = 100 };
enum { REPLY_MAX = 16 * 1024 };

struct signup {
	struct flow flow;
	char email[4 * EMAIL_MAX + 1], name[4 * NAME_MAX_POINTS + 1];
	struct hasher_job job;
	struct store_sign_up store;
};

static void password_hashed(struct hasher_job *job, bool made);
static void signed_up(struct pg_op *op, enum db_result result);

static void signup_cleanup(struct flow *flow)
{
	struct signup *signup = (struct signup *)flow;

	sodium_memzero(signup->job.password, sizeof signup->job.password);
}

/* Blanks of any script, and what is not seen at all: two addresses that look the same are the same. */
static bool has_space(const char *text)
{
	static const char *const spaces[] = {" ", "\u00a0", "\u00ad", "\u1680", "\u2000", "\u2001",
		"\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009",
		"\u200a", "\u200b", "\u200c", "\u200d", "\u2028", "\u2029", "\u202f", "\u205f",
		"\u2060", "\u3000", "\ufeff"};

	for (size_t i = 0; i < ARRAY_LEN(spaces); i++)
		if (strstr(text, spaces[i]) != NULL)
			return true;
	return false;
}

/* One @ with something on both sides; whether mail gets there only sending some would show. */
static bool is_address(const char *text)
{
	const char *at = strchr(text, '@');

	return at != NULL && at != text && at[1] != '\0' && strchr(at + 1, '@') == NULL &&
	       !has_space(text);
}

static bool read_fields(struct signup *signup, struct json_object *body)
{
	struct json_errors errors = {0};
	const char *email = NULL, *password = NULL, *name = "";

	if (json_read_text(body, "email", JSON_REQUIRED, 1, EMAIL_MAX, &email, &errors) ==
			JSON_PRESENT &&
		!is_address(email))
		json_error_add(&errors, "email", "must be an e-mail address");
	json_read_text(
		body, "password", JSON_REQUIRED, PASSWORD_MIN, PASSWORD_MAX, &password, &errors);
	json_read_text(body, "name", JSON_OPTIONAL, 0, NAME_MAX_POINTS, &name, &errors);
	if (errors.count > 0) {
		flow_fail_validation(&signup->flow, &errors);
		return false;
	}
	strcpy(signup->email, email);
	strcpy(signup->name, name);
	strcpy(signup->job.password, password);
	return true;
}

void signup_start(const struct request *request)
{
	struct signup *signup = flow_new(sizeof *signup, request);
	struct json_object *body;

	if (signup == NULL)
		return;
	signup->flow.cleanup = signup_cleanup;
	body = flow_read_body(&signup->flow, request, false);
	if (body == NULL)
		return;
	bool good = read_fields(signup, body);
	json_object_free(body);
	if (!good)
		return;
	signup->job.done = password_hashed;
	signup->job.owner = signup;
	if (!hasher_make(signup->flow.app->hasher, &signup->job))
		flow_fail(&signup->flow, PROBLEM_BUSY);
}

static void password_hashed(struct hasher_job *job, bool made)
{
	struct signup *signup = job->owner;

	if (!made) {
		flow_fail(&signup->flow, PROBLEM_BUSY);
		return;
	}
	signup->store = (struct store_sign_up){.op = {.done = signed_up, .owner = signup},
		.email = signup->email,
		.name = signup->name,
		.password_hash = signup->job.hash};
	store_sign_up(signup->flow.app->pg, &signup->store);
}

static void signed_up(struct pg_op *op, enum db_result result)
{
	struct signup *signup = op->owner;
	struct buf body = BUF_INIT(REPLY_MAX);

	if (result != DB_OK) {
		flow_fail_db(&signup->flow, result);
		return;
	}
	if (signup->store.taken) {
		flow_fail(&signup->flow, PROBLEM_EMAIL_TAKEN);
		return;
	}
	buf_printf(&body, "{\"id\":%lld,\"email\":", (long long)signup->store.user_id);
	json_write_text(&body, signup->email);
	buf_append_text(&body, ",\"name\":");
	json_write_text(&body, signup->name);
	buf_append_char(&body, '}');
	CHECK(!body.failed);
	flow_reply_json(&signup->flow, 201, body.data, body.len);
	buf_free(&body);
}
