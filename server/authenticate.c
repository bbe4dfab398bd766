/* Ours first: a token of the identity provider is refused there by its length or its issuer, before any
 * signature is checked. */
#include "server/authenticate.h"

#include <string.h>
#include "proto/base/clock.h"
#include "proto/header.h"
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

static void take(struct request *request, const struct known_person *known)
{
	request->user_id = known->user_id;
	request->admin = known->admin;
	request->token_expires_unix_s = known->expires_unix_s;
}

static bool is_ours(const struct request *request, int64_t now_s, struct known_person *known)
{
	struct access_token token;

	if (!access_token_verify(request->app->access_token_key, request->token, now_s, &token))
		return false;
	*known = (struct known_person){token.user_id, token.admin, token.expires_unix_s};
	return true;
}

static struct digest digest_identity(const struct app *app, const struct idp_person *person)
{
	const char *issuer = app->settings.auth_idp_issuer;
	struct digest_part parts[] = {
		{issuer, strlen(issuer)}, {person->subject, strlen(person->subject)}};

	return digest_of(parts, ARRAY_LEN(parts));
}

/* The identity provider's people are buyers, whatever their tokens say: operators log in here. */
static enum authentication ask_provider(const struct request *request, int64_t now_s,
	struct newcomer *newcomer, struct known_person *known)
{
	struct app *app = request->app;

	if (app->idp == NULL || !idp_verify(app->idp, request->token, now_s, &newcomer->person))
		return AUTHENTICATION_REFUSED;
	newcomer->identity = digest_identity(app, &newcomer->person);
	if (!known_people_find(app->known_identities, &newcomer->identity, now_s, known))
		return AUTHENTICATION_NEW;
	known->expires_unix_s = newcomer->person
					.expires_unix_s; /* of the token that stands for them now */
	return AUTHENTICATION_DONE;
}

enum authentication authenticate(struct request *request, struct newcomer *newcomer)
{
	struct app *app = request->app;
	int64_t now_s = clock_unix_ms() / 1000;
	struct known_person known;
	enum authentication who = AUTHENTICATION_DONE;

	request->token = header_bearer(http_header(request->parser, "authorization"));
	if (request->token == NULL)
		return AUTHENTICATION_REFUSED;
	struct digest_part whole = {request->token, strlen(request->token)};
	newcomer->token = digest_of(&whole, 1);
	if (!known_people_find(app->known_tokens, &newcomer->token, now_s, &known)) {
		if (!is_ours(request, now_s, &known))
			who = ask_provider(request, now_s, newcomer, &known);
		if (who == AUTHENTICATION_DONE)
			known_people_add(app->known_tokens, &newcomer->token, &known);
	}
	if (who == AUTHENTICATION_DONE)
		take(request, &known);
	return who;
}

void authenticate_remember(
	struct request *request, const struct newcomer *newcomer, int64_t user_id)
{
	struct app *app = request->app;
	struct known_person person = {.user_id = user_id, .expires_unix_s = INT64_MAX},
			    token = person;

	token.expires_unix_s = newcomer->person.expires_unix_s;
	known_people_add(app->known_identities, &newcomer->identity, &person);
	known_people_add(app->known_tokens, &newcomer->token, &token);
	take(request, &token);
}
