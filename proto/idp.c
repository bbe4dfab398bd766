/* What is cheap is judged first, and the signature last: nothing that the token says is used before. */
#include "proto/idp.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/base64url.h"
#include "proto/base/check.h"
#include "proto/json.h"
#include "proto/jws.h"
#include "proto/public_key.h"

enum { SIGNATURE_MAX = 512 }; /* of RSA with 4096 bits */

struct idp_key {
	char *kid;
	struct public_key *key;
};

struct idp {
	char *issuer, *audience, *algorithm;
	struct idp_key keys[IDP_KEYS_MAX];
	size_t key_count;
};

struct idp *idp_new(const char *issuer, const char *audience, const char *algorithm)
{
	struct idp *idp = must_calloc(1, sizeof *idp);

	CHECK(sodium_init() >= 0);
	CHECK(strcmp(algorithm, "RS256") == 0 || strcmp(algorithm, "ES256") == 0);
	idp->issuer = must_strdup(issuer);
	idp->audience = must_strdup(audience);
	idp->algorithm = must_strdup(algorithm);
	return idp;
}

void idp_free(struct idp *idp)
{
	if (idp == NULL)
		return;
	for (size_t i = 0; i < idp->key_count; i++) {
		free(idp->keys[i].kid);
		public_key_free(idp->keys[i].key);
	}
	free(idp->issuer);
	free(idp->audience);
	free(idp->algorithm);
	free(idp);
}

bool idp_add_key(
	struct idp *idp, const char *kid, const char *pem, size_t len, char *why, size_t why_size)
{
	bool elliptic = strcmp(idp->algorithm, "ES256") == 0;

	if (idp->key_count == IDP_KEYS_MAX) {
		snprintf(why, why_size, "there are more than %d keys", IDP_KEYS_MAX);
		return false;
	}
	if (strlen(kid) == 0 || strlen(kid) > IDP_KEY_ID_MAX) {
		snprintf(why, why_size, "a kid has 1 to %d bytes", IDP_KEY_ID_MAX);
		return false;
	}
	struct public_key *key = public_key_new(
		elliptic ? PUBLIC_KEY_ES256 : PUBLIC_KEY_RS256, pem, len);
	if (key == NULL) {
		snprintf(why, why_size, "it is not a public key for %s in PEM: %s", idp->algorithm,
			elliptic ? "on the curve P-256" : "RSA of 2048 to 4096 bits");
		return false;
	}
	idp->keys[idp->key_count++] = (struct idp_key){must_strdup(kid), key};
	return true;
}

static const struct public_key *find_key(const struct idp *idp, const struct jws *jws)
{
	const char *kid;

	if (!jws_key_id(jws, &kid))
		return NULL;
	if (kid == NULL)
		return idp->key_count == 1 ? idp->keys[0].key : NULL;
	for (size_t i = 0; i < idp->key_count; i++)
		if (strcmp(idp->keys[i].kid, kid) == 0)
			return idp->keys[i].key;
	return NULL;
}

static bool is_signed(const struct idp *idp, const struct jws *jws)
{
	const struct public_key *key = find_key(idp, jws);
	unsigned char signature[SIGNATURE_MAX];
	size_t len, text_len = strlen(jws->signature);

	return key != NULL &&
	       base64url_decode(jws->signature, text_len, signature, sizeof signature, &len) &&
	       public_key_verifies(key, jws->text, jws->signed_len, signature, len);
}

static bool read_subject(const struct jws *jws, struct idp_person *person)
{
	const char *subject = jws_claim(jws, "sub");

	if (subject == NULL || subject[0] == '\0' || strlen(subject) > IDP_SUBJECT_MAX)
		return false;
	strcpy(person->subject, subject);
	return true;
}

/* What is missing, or not as we have it, is left out: these two only describe the person. An address that
 * the issuer says it has not verified is nobody's. */
static void read_description(const struct jws *jws, struct idp_person *person)
{
	struct json_errors errors = {0};
	const char *email = NULL, *name = NULL;
	bool verified = true;

	if (json_read_bool(jws->claims, "email_verified", JSON_OPTIONAL, &verified, &errors) ==
		JSON_WRONG)
		verified = false;
	json_read_text(jws->claims, "email", JSON_OPTIONAL, 1, EMAIL_MAX, &email, &errors);
	json_read_text(jws->claims, "name", JSON_OPTIONAL, 0, IDP_NAME_MAX, &name, &errors);
	strcpy(person->email, email != NULL && verified && email_ok(email) ? email : "");
	strcpy(person->name, name != NULL ? name : "");
}

static bool judge(
	const struct idp *idp, const struct jws *jws, int64_t now_unix_s, struct idp_person *person)
{
	if (!jws_algorithm_is(jws, idp->algorithm) || !jws_is_by(jws, idp->issuer) ||
		!jws_is_for(jws, idp->audience) || !read_subject(jws, person) ||
		!jws_is_current(jws, now_unix_s, &person->expires_unix_s) || !is_signed(idp, jws))
		return false;
	read_description(jws, person);
	return true;
}

bool idp_verify(
	const struct idp *idp, const char *text, int64_t now_unix_s, struct idp_person *person)
{
	struct jws jws;

	if (!jws_read(text, &jws))
		return false;
	bool good = judge(idp, &jws, now_unix_s, person);
	jws_free(&jws);
	return good;
}
