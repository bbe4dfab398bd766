/* Access tokens of an outside identity provider, and its keys. The first byte picks the way in:
 *
 *   t  a token's text as a client sends it: it verifies only where what it says is right, judged here again
 *   e  a header line and claims, which get an ES256 signature by the key of kid one or two
 *   r  the same by RS256; that takes long, so most inputs get another algorithm's signature and are refused
 *   f  a good ES256 token, with bytes of it changed: it verifies as it was, and no other way; F: an RS256 one
 *   k  the name of an ES256 key and what is in its file: no token is by a stranger's; K: of an RS256 key */
#include "proto/idp.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/idp.h"

enum { NOW = 1795255200, SKEW_SECONDS = 5, PART_MAX = 4096, WHY_SIZE = 256, CHANGES_MAX = 4 };

/* Whose key a kid names. */
struct provider {
	struct idp *idp;
	const char *algorithm;
	enum idp_signer one, two;
	char *good; /* a token by the key one */
};

static struct provider elliptic = {.algorithm = "ES256", .one = IDP_EC, .two = IDP_EC_OTHER};
static struct provider rsa = {.algorithm = "RS256", .one = IDP_RSA, .two = IDP_RSA_OTHER};

static void add_key(struct provider *provider, const char *kid, enum idp_signer signer)
{
	char *pem = idp_public_pem(signer), why[WHY_SIZE];

	CHECK(idp_add_key(provider->idp, kid, pem, strlen(pem), why, sizeof why));
	free(pem);
}

static void open_provider(struct provider *provider)
{
	char header[64];

	provider->idp = idp_new("https://id.test/", "shop", provider->algorithm);
	add_key(provider, "one", provider->one);
	add_key(provider, "two", provider->two);
	snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"one\"}", provider->algorithm);
	provider->good = idp_sign(provider->one, header,
		"{\"iss\":\"https://id.test/\",\"aud\":\"shop\",\"sub\":\"a\",\"exp\":1795255201}");
}

int LLVMFuzzerInitialize(int *argc UNUSED, char ***argv UNUSED)
{
	open_provider(&elliptic);
	open_provider(&rsa);
	return 0;
}

/* --- what a token that was let in must have said --- */

static bool text_is(const json_t *object, const char *name, const char *expected)
{
	const char *value = json_string_value(json_object_get(object, name));

	return value != NULL && strcmp(value, expected) == 0;
}

/* One audience, or a list of them. */
static bool is_for_shop(const json_t *claims)
{
	const json_t *audience = json_object_get(claims, "aud");
	bool found = text_is(claims, "aud", "shop");

	for (size_t i = 0; i < json_array_size(audience); i++) {
		const char *one = json_string_value(json_array_get(audience, i));
		found = found || (one != NULL && strcmp(one, "shop") == 0);
	}
	return found;
}

static bool began(const json_t *claims, const char *name)
{
	const json_t *value = json_object_get(claims, name);

	return value == NULL || json_integer_value(value) <= NOW + SKEW_SECONDS;
}

static void check_description(const json_t *claims, const struct idp_person *person)
{
	const json_t *verified = json_object_get(claims, "email_verified");
	const char *at = strchr(person->email, '@');

	if (person->email[0] != '\0') {
		CHECK(text_is(claims, "email", person->email));
		CHECK(at != NULL && strchr(at + 1, '@') == NULL);
		CHECK(verified == NULL || json_is_true(verified));
	}
	CHECK(person->name[0] == '\0' || text_is(claims, "name", person->name));
	CHECK(strlen(person->name) <= 4 * IDP_NAME_MAX);
}

static bool is_plain(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static void check_claims(const struct provider *provider, const char *header_text,
	const char *claims_text, const struct idp_person *person)
{
	json_t *header = json_loads(header_text, JSON_ALLOW_NUL, NULL);
	json_t *claims = json_loads(claims_text, JSON_ALLOW_NUL, NULL);

	CHECK(is_plain(person->subject));
	if (header == NULL || claims == NULL) { /* JSON, and more than jansson takes */
		json_decref(header);
		json_decref(claims);
		return;
	}
	CHECK(text_is(header, "alg", provider->algorithm));
	CHECK(text_is(header, "kid", "one") || text_is(header, "kid", "two"));
	CHECK(json_object_get(header, "crit") == NULL);
	CHECK(text_is(claims, "iss", "https://id.test/") && is_for_shop(claims));
	CHECK(text_is(claims, "sub", person->subject) && person->subject[0] != '\0');
	CHECK(person->expires_unix_s > NOW);
	CHECK(json_integer_value(json_object_get(claims, "exp")) == person->expires_unix_s);
	CHECK(began(claims, "iat") && began(claims, "nbf"));
	check_description(claims, person);
	json_decref(header);
	json_decref(claims);
}

/* --- t --- */

/* The text of a part, to be freed. */
static char *decoded(const char *text, size_t len)
{
	char *part = must_calloc(1, len + 1);

	CHECK(sodium_base642bin((unsigned char *)part, len, text, len, NULL, NULL, NULL,
		      sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0);
	return part;
}

static bool check_text(const struct provider *provider, const char *text)
{
	struct idp_person person;

	if (!idp_verify(provider->idp, text, NOW, &person))
		return false;
	size_t header_len = strcspn(text, ".");
	const char *second = text + header_len + 1;
	char *header = decoded(text, header_len), *claims = decoded(second, strcspn(second, "."));
	check_claims(provider, header, claims, &person);
	free(header);
	free(claims);
	return true;
}

static void check_sent(struct fuzz_input *input)
{
	char *text = fuzz_take_rest(input);

	CHECK(!check_text(&elliptic, text) || !check_text(&rsa, text));
	free(text);
}

/* --- e and r --- */

static enum idp_signer choose_signer(const struct provider *provider, uint64_t seed)
{
	if (provider == &rsa && seed % 256 != 0)
		return seed % 2 == 0 ? IDP_EC : IDP_EC_OTHER;
	return seed % 5 == 0 ? provider->two : provider->one;
}

static bool is_by(const struct provider *provider, enum idp_signer signer, const char *header_text)
{
	json_t *header = json_loads(header_text, JSON_ALLOW_NUL, NULL);
	bool one = text_is(header, "kid", "one");
	bool known = header != NULL;

	json_decref(header);
	return !known || signer == (one ? provider->one : provider->two);
}

/* What is refused before its signature is looked at needs none, and signing takes longest; but for one in eight, as
 * there are more spellings than these. */
static char *sign(enum idp_signer signer, const char *algorithm, const char *header,
	const char *claims, uint64_t seed)
{
	bool looked_at = strstr(header, algorithm) != NULL && strstr(claims, "shop") != NULL &&
			 strstr(claims, "https://id.test/") != NULL;

	return looked_at || seed % 8 == 0 ? idp_sign(signer, header, claims)
					  : idp_sign_with_secret("no key", header, claims);
}

static void check_signed(const struct provider *provider, struct fuzz_input *input)
{
	uint64_t seed = fuzz_seed(input->at, input->left);
	enum idp_signer signer = choose_signer(provider, seed);
	char *header = fuzz_take_line(input), *claims = fuzz_take_rest(input);
	struct idp_person person;

	if (strlen(header) + strlen(claims) <= PART_MAX) {
		char *text = sign(signer, provider->algorithm, header, claims, seed);
		if (idp_verify(provider->idp, text, NOW, &person)) {
			CHECK(is_by(provider, signer, header));
			check_claims(provider, header, claims, &person);
		}
		free(text);
	}
	free(header);
	free(claims);
}

/* --- f --- */

/* What is XORed with 0 stays; a NUL cuts the text. */
static void check_changed(const struct provider *provider, struct fuzz_input *input)
{
	size_t len = strlen(provider->good);
	char *changed = must_calloc(1, len + 2);
	struct idp_person person;

	memcpy(changed, provider->good, len);
	for (int i = 0; i < CHANGES_MAX && input->left > 0; i++) {
		size_t at = fuzz_take(input, 2) % (len + 1);
		changed[at] = (char)(changed[at] ^ (char)fuzz_take(input, 1));
	}
	CHECK(idp_verify(provider->idp, changed, NOW, &person) ==
		(strcmp(changed, provider->good) == 0));
	free(changed);
}

/* --- k --- */

static void check_key(const struct provider *provider, struct fuzz_input *input)
{
	struct idp *idp = idp_new("https://id.test/", "shop", provider->algorithm);
	char *kid = fuzz_take_line(input), why[WHY_SIZE] = "";
	const char *bytes = (const char *)input->at;
	struct idp_person person;

	if (idp_add_key(idp, kid, bytes, input->left, why, sizeof why)) {
		CHECK(strlen(kid) >= 1 && strlen(kid) <= IDP_KEY_ID_MAX);
		CHECK(memmem(bytes, input->left, "-----BEGIN PUBLIC KEY", 21) != NULL);
		if (idp_verify(idp, provider->good, NOW, &person))
			CHECK(strcmp(kid, "one") == 0 && strcmp(person.subject, "a") == 0);
	} else {
		CHECK(why[0] != '\0' && !idp_verify(idp, provider->good, NOW, &person));
	}
	free(kid);
	idp_free(idp);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct fuzz_input input = {bytes, len};

	switch (fuzz_take(&input, 1)) {
	case 't': check_sent(&input); break;
	case 'e': check_signed(&elliptic, &input); break;
	case 'r': check_signed(&rsa, &input); break;
	case 'f': check_changed(&elliptic, &input); break;
	case 'F': check_changed(&rsa, &input); break;
	case 'k': check_key(&elliptic, &input); break;
	case 'K': check_key(&rsa, &input); break;
	default: return -1;
	}
	return 0;
}
