/* Sign up: the proof of work, where the settings ask for one, then argon2id on the worker thread, then the person
 * and its account in one transaction, where the unique index over e-mail addresses decides.
 *   signup_start -> password_hashed -> signed_up -> end */
#include <sodium.h>
#include <string.h>
#include "db/store_accounts.h"
#include "proto/base/clock.h"
#include "proto/email.h"
#include "proto/json.h"
#include "proto/proof.h"
#include "proto/token.h"
#include "server/flow.h"
#include "server/flows.h"
#include "server/hasher.h"

/* In code points. */
enum { PASSWORD_MIN = 8, PASSWORD_MAX = 256, NAME_MAX_POINTS = 100 };
enum { REPLY_MAX = 16 * 1024 };

struct signup {
	struct flow flow;
	char email[EMAIL_SIZE], name[4 * NAME_MAX_POINTS + 1];
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

static bool read_fields(struct signup *signup, struct json_object *body)
{
	struct json_errors errors = {0};
	const char *email = NULL, *password = NULL, *name = "";

	if (json_read_text(body, "email", JSON_REQUIRED, 1, EMAIL_MAX, &email, &errors) ==
			JSON_PRESENT &&
		!email_ok(email))
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

/* --- the proof of work --- */

struct proof {
	const char *challenge, *nonce; /* the body's */
};

/* False where the body has none, or its members are wrong; the flow was ended. */
static bool read_proof(struct signup *signup, struct json_object *body, struct proof *proof)
{
	struct json_errors errors = {0};
	struct json_object *object = NULL;

	if (json_read_object(body, "proof", JSON_OPTIONAL, &object, &errors) == JSON_ABSENT) {
		flow_fail(&signup->flow, PROBLEM_PROOF_REQUIRED);
		return false;
	}
	if (object != NULL) {
		strcpy(errors.prefix, "proof.");
		json_read_text(object, "challenge", JSON_REQUIRED, 1, TOKEN_TEXT_SIZE,
			&proof->challenge, &errors);
		json_read_text(
			object, "nonce", JSON_REQUIRED, 1, PROOF_NONCE_MAX, &proof->nonce, &errors);
	}
	if (errors.count == 0)
		return true;
	flow_fail_validation(&signup->flow, &errors);
	return false;
}

/* Judged before a password is hashed, which costs us more than this costs anybody who has no proof. */
static bool pass_proof(struct signup *signup, struct json_object *body)
{
	struct app *app = signup->flow.app;
	struct proof proof = {NULL, NULL};
	struct signup_challenge challenge;

	if (app->settings.signup_proof_bits == 0)
		return true;
	if (!read_proof(signup, body, &proof))
		return false;
	if (!signup_challenge_verify(app->token_key, proof.challenge, &challenge) ||
		challenge.bits < app->settings.signup_proof_bits ||
		!proof_holds(
			proof.challenge, signup->email, proof.nonce, (unsigned)challenge.bits)) {
		flow_fail(&signup->flow, PROBLEM_PROOF_INVALID);
		return false;
	}
	if (challenge.expires_unix_ms <= clock_unix_ms()) {
		flow_fail(&signup->flow, PROBLEM_PROOF_EXPIRED);
		return false;
	}
	return true;
}

/* --- */

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
	bool good = read_fields(signup, body) && pass_proof(signup, body);
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

	flow_mark(&signup->flow, STAGE_POSTGRESQL);
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
