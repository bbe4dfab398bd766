/* Ours first: a token of the identity provider is refused there by its length or its issuer, before any
 * signature is checked. */
#include "server/authenticate.h"

#include <string.h>
#include <strings.h>
#include "proto/base/clock.h"
#include "proto/jwt.h"
#include "server/flow.h"
#include "server/known_people.h"

struct access_token_key *authenticate_key(const struct settings *settings)
{
	const struct access_token_settings keys = {
		.key_id = settings->auth_jwt_key_id,
		.secret = settings->auth_jwt_secret,
		.previous_key_id = settings->auth_jwt_previous_key_id,
		.previous_secret = settings->auth_jwt_previous_secret,
		.issuer = settings->auth_jwt_issuer,
		.audience = settings->auth_jwt_audience,
	};

	return access_token_key_new(&keys);
}

/* What follows "Bearer ", or NULL. */
static const char *bearer(const struct request *request)
{
	static const char scheme[] = "Bearer ";
	const char *header = http_header(request->parser, "authorization");

	if (header == NULL || strncasecmp(header, scheme, sizeof scheme - 1) != 0)
		return NULL;
	return header + sizeof scheme - 1;
}

/* The identity provider's people are buyers: operators log in here. */
static void take_known(struct request *request, const struct known_person *known)
{
	request->user_id = known->user_id;
	request->token_expires_unix_s = known->expires_unix_s;
}

static bool is_ours(struct request *request, int64_t now_s)
{
	struct access_token token;

	if (!access_token_verify(request->app->access_token_key, request->token, now_s, &token))
		return false;
	request->user_id = token.user_id;
	request->admin = token.admin;
	request->token_expires_unix_s = token.expires_unix_s;
	return true;
}

static struct digest digest_identity(const struct app *app, const struct idp_person *person)
{
	const char *issuer = app->settings.auth_idp_issuer;
	struct digest_part parts[] = {
		{issuer, strlen(issuer)}, {person->subject, strlen(person->subject)}};

	return digest_of(parts, ARRAY_LEN(parts));
}

static void remember_token(struct app *app, const struct newcomer *newcomer, int64_t user_id)
{
	struct known_person known = {user_id, newcomer->person.expires_unix_s};

	known_people_add(app->known_tokens, &newcomer->token, &known);
}

enum authentication authenticate(struct request *request, struct newcomer *newcomer)
{
	struct app *app = request->app;
	int64_t now_s = clock_unix_ms() / 1000;
	struct known_person known;

	request->token = bearer(request);
	if (request->token == NULL)
		return AUTHENTICATION_REFUSED;
	if (is_ours(request, now_s))
		return AUTHENTICATION_DONE;
	if (app->idp == NULL)
		return AUTHENTICATION_REFUSED;
	struct digest_part whole = {request->token, strlen(request->token)};
	newcomer->token = digest_of(&whole, 1);
	if (known_people_find(app->known_tokens, &newcomer->token, now_s, &known)) {
		take_known(request, &known);
		return AUTHENTICATION_DONE;
	}
	if (!idp_verify(app->idp, request->token, now_s, &newcomer->person))
		return AUTHENTICATION_REFUSED;
	request->token_expires_unix_s = newcomer->person.expires_unix_s;
	newcomer->identity = digest_identity(app, &newcomer->person);
	if (!known_people_find(app->known_identities, &newcomer->identity, now_s, &known))
		return AUTHENTICATION_NEW;
	request->user_id = known.user_id;
	remember_token(app, newcomer, known.user_id);
	return AUTHENTICATION_DONE;
}

void authenticate_remember(struct app *app, const struct newcomer *newcomer, int64_t user_id)
{
	struct known_person known = {user_id, INT64_MAX};

	known_people_add(app->known_identities, &newcomer->identity, &known);
	remember_token(app, newcomer, user_id);
}
