/* Log in: the account by e-mail, then argon2id on the worker thread, then a token. An unknown e-mail goes
 * the same way with a hash that matches nothing, and so takes the same time.
 *   login_start -> account_read -> password_checked -> end */
#include <sodium.h>
#include <string.h>
#include "db/store_accounts.h"
#include "proto/base/clock.h"
#include "proto/email.h"
#include "proto/json.h"
#include "proto/jwt.h"
#include "server/flow.h"
#include "server/flows.h"
#include "server/hasher.h"
#include "server/limits.h"
#include "server/net.h"

enum { PASSWORD_MAX = 256 }; /* code points */

struct login {
	struct flow flow;
	char email[EMAIL_SIZE];
	struct store_login store;
	struct hasher_job job;
};

static void account_read(struct pg_op *op, enum db_result result);
static void password_checked(struct hasher_job *job, bool match);

static void login_cleanup(struct flow *flow)
{
	struct login *login = (struct login *)flow;

	sodium_memzero(login->job.password, sizeof login->job.password);
}

static bool read_fields(struct login *login, struct json_object *body)
{
	struct json_errors errors = {0};
	const char *email = NULL, *password = NULL;

	json_read_text(body, "email", JSON_REQUIRED, 1, EMAIL_MAX, &email, &errors);
	json_read_text(body, "password", JSON_REQUIRED, 1, PASSWORD_MAX, &password, &errors);
	if (errors.count > 0) {
		flow_fail_validation(&login->flow, &errors);
		return false;
	}
	strcpy(login->email, email);
	strcpy(login->job.password, password);
	return true;
}

/* Not too often for one e-mail either, wherever the tries come from and whether it has an account or not. */
static bool pass_limit(struct login *login)
{
	struct app *app = login->flow.app;
	char headers[LIMIT_HEADERS_SIZE];
	struct limit_state state;

	if (!limits_on(app->limits, LIMIT_LOGIN))
		return true;
	struct limit_key key = limit_key_text(LIMIT_LOGIN, login->email);
	if (limits_take(app->limits, LIMIT_LOGIN, &key, 1, clock_mono_ms(), &state))
		return true;
	limit_headers(LIMIT_LOGIN, &state, true, headers);
	app->counters.limited++;
	conn_set_headers(login->flow.conn, "");
	flow_fail_extra(&login->flow, PROBLEM_RATE_LIMITED, NULL, headers);
	return false;
}

void login_start(const struct request *request)
{
	struct login *login = flow_new(sizeof *login, request);
	struct json_object *body;

	if (login == NULL)
		return;
	login->flow.cleanup = login_cleanup;
	body = flow_read_body(&login->flow, request, false);
	if (body == NULL)
		return;
	if (read_fields(login, body) && pass_limit(login)) {
		login->store.op.done = account_read;
		login->store.op.owner = login;
		login->store.email = login->email;
		store_login(login->flow.app->pg, &login->store);
	}
	json_object_free(body);
}

static void account_read(struct pg_op *op, enum db_result result)
{
	struct login *login = op->owner;

	flow_mark(&login->flow, STAGE_POSTGRESQL);
	if (result != DB_OK) {
		/* Nothing can have happened: reading changes nothing. */
		flow_fail_db(&login->flow, result == DB_UNKNOWN ? DB_UNAVAILABLE : result);
		return;
	}
	if (login->store.found)
		memcpy(login->job.hash, login->store.password_hash, sizeof login->job.hash);
	login->job.done = password_checked;
	login->job.owner = login;
	if (!hasher_verify(login->flow.app->hasher, &login->job))
		flow_fail(&login->flow, PROBLEM_BUSY);
}

static void password_checked(struct hasher_job *job, bool match)
{
	struct login *login = job->owner;
	struct app *app = login->flow.app;
	int64_t now_s = clock_unix_ms() / 1000, ttl_s = app->settings.auth_token_ttl_seconds;
	char token[ACCESS_TOKEN_TEXT_SIZE];

	if (!match || !login->store.found) {
		flow_fail_extra(&login->flow, PROBLEM_INVALID_CREDENTIALS, NULL,
			"WWW-Authenticate: Bearer\r\n");
		return;
	}
	struct access_token claims = {login->store.user_id, login->store.admin, now_s + ttl_s};
	access_token_sign(app->access_token_key, &claims, now_s, token);
	struct buf body = BUF_INIT(ACCESS_TOKEN_TEXT_SIZE + 128);
	buf_printf(&body, "{\"access_token\":\"%s\",\"token_type\":\"Bearer\",\"expires_in\":%lld}",
		token, (long long)ttl_s);
	flow_reply_json(&login->flow, 201, body.data, body.len);
	buf_free(&body);
}
