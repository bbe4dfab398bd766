/* Reading. base64url is taken in its one spelling only (no padding, no unused bits set). */
#include "proto/jws.h"

#include <jansson.h>
#include <string.h>
#include "proto/base/base64url.h"
#include "proto/json.h"

/* struct json_object is jansson's json_t. */
static json_t *member(const struct json_object *object, const char *name)
{
	return json_object_get((json_t *)(uintptr_t)object, name);
}

/* A NUL inside would make two texts look like one; proto/json.c puts another control character in its place where
 * jansson does not take the whole. */
static const char *text_of(const json_t *value)
{
	const char *text = json_string_value(value);

	if (text == NULL || strlen(text) != json_string_length(value))
		return NULL;
	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return NULL;
	return text;
}

static struct json_object *read_part(const char *text, size_t len)
{
	unsigned char bytes[JWS_TEXT_MAX];
	size_t bytes_len;

	if (!base64url_decode(text, len, bytes, sizeof bytes, &bytes_len))
		return NULL;
	return json_object_parse((const char *)bytes, bytes_len);
}

/* base64url and two dots: libjwt's own decoding lets other bytes pass. */
static bool looks_like_token(const char *text, size_t lens[3])
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	if (strnlen(text, JWS_TEXT_MAX + 1) > JWS_TEXT_MAX)
		return false;
	for (int part = 0; part < 3; part++) {
		lens[part] = strspn(text, allowed);
		if (lens[part] == 0)
			return false;
		text += lens[part];
		if (*text != (part < 2 ? '.' : '\0'))
			return false;
		text++;
	}
	return true;
}

bool jws_read(const char *text, struct jws *jws)
{
	size_t lens[3];

	if (!looks_like_token(text, lens))
		return false;
	*jws = (struct jws){.text = text,
		.signed_len = lens[0] + 1 + lens[1],
		.signature = text + lens[0] + 1 + lens[1] + 1,
		.header = read_part(text, lens[0])};
	if (jws->header != NULL)
		jws->claims = read_part(text + lens[0] + 1, lens[1]);
	if (jws->claims != NULL)
		return true;
	jws_free(jws);
	return false;
}

void jws_free(struct jws *jws)
{
	json_object_free(jws->header);
	json_object_free(jws->claims);
	*jws = (struct jws){0};
}

bool jws_algorithm_is(const struct jws *jws, const char *algorithm)
{
	const char *text = text_of(member(jws->header, "alg"));

	return text != NULL && strcmp(text, algorithm) == 0 && member(jws->header, "crit") == NULL;
}

bool jws_key_id(const struct jws *jws, const char **kid)
{
	const json_t *value = member(jws->header, "kid");

	*kid = text_of(value);
	return value == NULL || *kid != NULL;
}

const char *jws_claim(const struct jws *jws, const char *name)
{
	return text_of(member(jws->claims, name));
}

static bool text_is(const json_t *value, const char *expected)
{
	const char *text = text_of(value);

	return text != NULL && strcmp(text, expected) == 0;
}

bool jws_is_by(const struct jws *jws, const char *issuer)
{
	return text_is(member(jws->claims, "iss"), issuer);
}

bool jws_is_for(const struct jws *jws, const char *audience)
{
	const json_t *list = member(jws->claims, "aud");

	for (size_t i = 0; i < json_array_size(list); i++)
		if (text_is(json_array_get(list, i), audience))
			return true;
	return text_is(list, audience);
}

/* False where it is there and no positive integer; 0 where it is not there. */
static bool read_time(const struct jws *jws, const char *name, int64_t *unix_s)
{
	const json_t *value = member(jws->claims, name);

	*unix_s = json_integer_value(value);
	return value == NULL || (json_is_integer(value) && *unix_s > 0);
}

bool jws_is_current(const struct jws *jws, int64_t now_unix_s, int64_t *expires_unix_s)
{
	int64_t issued, not_before, latest = now_unix_s + JWS_SKEW_SECONDS;

	return read_time(jws, "exp", expires_unix_s) && read_time(jws, "iat", &issued) &&
	       read_time(jws, "nbf", &not_before) && *expires_unix_s > now_unix_s &&
	       issued <= latest && not_before <= latest;
}
