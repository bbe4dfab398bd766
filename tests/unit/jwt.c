/* Access tokens: ours verify; whatever else a token may claim does not. Foreign tokens are put
 * together here by hand, with the right secret where it is not the secret that must fail. */
#include "proto/jwt.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include "proto/base/buf.h"

enum { NOW = 1795255200, PART_SIZE = 2048 };

static const char secret[] = "an access token secret of some length";
static const struct access_token example = {
	.user_id = 42, .admin = true, .expires_unix_s = NOW + 60};

static const struct access_token_settings ours = {
	.key_id = "1", .secret = secret, .issuer = "onsale", .audience = "shop"};

static struct access_token_key *new_key(void)
{
	return access_token_key_new(&ours);
}

static void base64url(const void *bytes, size_t len, char text[PART_SIZE])
{
	sodium_bin2base64(text, PART_SIZE, bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/* header.claims signed with HMAC-SHA-256. */
static void forge(const char *header, const char *claims, const char *with, char *text)
{
	char header_part[PART_SIZE], claims_part[PART_SIZE], tag_part[PART_SIZE];
	base64url(header, strlen(header), header_part);
	base64url(claims, strlen(claims), claims_part);
	struct buf token = BUF_INIT(3 * PART_SIZE - 1);
	buf_printf(&token, "%s.%s", header_part, claims_part);
	unsigned char tag[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state state;
	crypto_auth_hmacsha256_init(&state, (const unsigned char *)with, strlen(with));
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)token.data, token.len);
	crypto_auth_hmacsha256_final(&state, tag);
	base64url(tag, sizeof(tag), tag_part);
	buf_printf(&token, ".%s", tag_part);
	cr_assert(!token.failed);
	memcpy(text, token.data, token.len + 1);
	buf_free(&token);
}

static bool verifies(const char *text, int64_t now)
{
	struct access_token_key *key = new_key();
	struct access_token token;
	bool verified = access_token_verify(key, text, now, &token);
	access_token_key_free(key);
	return verified;
}

Test(jwt, comes_back_as_it_was)
{
	struct access_token_key *key = new_key();
	char text[ACCESS_TOKEN_TEXT_SIZE], again[ACCESS_TOKEN_TEXT_SIZE];
	struct access_token token;
	access_token_sign(key, &example, NOW, text);
	cr_assert(access_token_verify(key, text, NOW, &token));
	cr_expect(token.user_id == 42 && token.admin && token.expires_unix_s == NOW + 60);
	access_token_sign(key, &example, NOW, again);
	cr_expect_str_neq(text, again, "each has an id of its own");
	const struct access_token buyer = {INT64_MAX, false, INT64_MAX};
	access_token_sign(key, &buyer, NOW, text);
	cr_assert(access_token_verify(key, text, NOW, &token));
	cr_expect(token.user_id == INT64_MAX && !token.admin && token.expires_unix_s == INT64_MAX);
	access_token_key_free(key);
	access_token_key_free(NULL);
}

Test(jwt, expires)
{
	struct access_token_key *key = new_key();
	char text[ACCESS_TOKEN_TEXT_SIZE];
	access_token_sign(key, &example, NOW, text);
	cr_expect(verifies(text, NOW + 59));
	cr_expect(!verifies(text, NOW + 60));
	cr_expect(!verifies(text, NOW + 100000));
	cr_expect(verifies(text, NOW - 5), "clocks may differ by 5 s");
	cr_expect(!verifies(text, NOW - 6));
	access_token_key_free(key);
}

Test(jwt, is_for_one_issuer_audience_and_secret)
{
	struct access_token_settings others[] = {ours, ours, ours, ours};
	others[0].issuer = "other";
	others[1].audience = "other";
	others[2].secret = "another access token secret of some length";
	others[3].key_id = "2";
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct access_token_key *key = access_token_key_new(&others[i]);
		char text[ACCESS_TOKEN_TEXT_SIZE];
		access_token_sign(key, &example, NOW, text);
		cr_expect(!verifies(text, NOW), "%zu", i);
		access_token_key_free(key);
	}
}

Test(jwt, refuses_changed_and_cut_texts)
{
	struct access_token_key *key = new_key();
	char text[ACCESS_TOKEN_TEXT_SIZE], changed[2 * ACCESS_TOKEN_TEXT_SIZE];
	struct access_token token;
	access_token_sign(key, &example, NOW, text);
	size_t len = strlen(text);
	static const char others[] = "A.-_ =\n";
	for (size_t i = 0; i < len; i++) {
		memcpy(changed, text, len + 1);
		changed[i] = others[i % (sizeof(others) - 1)];
		if (changed[i] == text[i])
			changed[i] = 'B';
		cr_expect(!access_token_verify(key, changed, NOW, &token), "%zu: %s", i, changed);
		memcpy(changed, text, i);
		changed[i] = '\0';
		cr_expect(!access_token_verify(key, changed, NOW, &token), "cut at %zu", i);
	}
	static const char *const tails[] = {"A", ".", ".A", "=", "==", " ", "\n", ".e30", "AAAA"};
	for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
		snprintf(changed, sizeof(changed), "%s%s", text, tails[i]);
		cr_expect(!access_token_verify(key, changed, NOW, &token), "%s", tails[i]);
	}
	memset(changed, 'A', sizeof(changed));
	changed[sizeof(changed) - 1] = '\0';
	cr_expect(!access_token_verify(key, changed, NOW, &token));
	cr_expect(!access_token_verify(key, ".", NOW, &token));
	cr_expect(!access_token_verify(key, "..", NOW, &token));
	cr_expect(!access_token_verify(key, "...", NOW, &token));
	access_token_key_free(key);
}

#define HS256 "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define FOR_US "\"iss\":\"onsale\",\"aud\":\"shop\""

Test(jwt, judges_claims)
{
	static const struct {
		const char *claims;
		bool good;
	} examples[] = {
		{"{" FOR_US ",\"sub\":\"7\",\"exp\":1795255201}", true},
		{"{" FOR_US ",\"sub\":\"7\",\"exp\":1795255201,\"role\":\"admin\",\"x\":{}}", true},
		{"{" FOR_US ",\"sub\":\"7\",\"exp\":1795255201,\"nbf\":1795255200}", true},
		{"{" FOR_US ",\"sub\":\"7\",\"exp\":1795255201,\"iat\":1795255205}", true},
		{"{" FOR_US ",\"sub\":\"7\",\"exp\":1795255201,\"iat\":1795255206}", false},
		{"{" FOR_US ",\"sub\":\"7\",\"exp\":1795255201,\"nbf\":1795255205}", true},
		{"{" FOR_US ",\"sub\":\"7\",\"exp\":1795255201,\"nbf\":1795255206}", false},
		{"{" FOR_US ",\"sub\":\"7\",\"exp\":1795255201,\"nbf\":\"1\"}", false},
		{"{" FOR_US ",\"sub\":\"7\",\"exp\":1795255201,\"nbf\":1.5}", false},
		{"{" FOR_US ",\"sub\":\"7\",\"exp\":1795255201,\"iat\":null}", false},
		{"{" FOR_US ",\"sub\":\"7\",\"exp\":1795255200}", false},
		{"{" FOR_US ",\"sub\":\"7\",\"exp\":\"1795255201\"}", false},
		{"{" FOR_US ",\"sub\":\"7\",\"exp\":1795255201.5}", false},
		{"{" FOR_US ",\"sub\":\"7\",\"exp\":true}", false},
		{"{" FOR_US ",\"sub\":\"7\"}", false},
		{"{" FOR_US ",\"exp\":1795255201}", false},
		{"{" FOR_US ",\"sub\":7,\"exp\":1795255201}", false},
		{"{" FOR_US ",\"sub\":\"\",\"exp\":1795255201}", false},
		{"{" FOR_US ",\"sub\":\"0\",\"exp\":1795255201}", false},
		{"{" FOR_US ",\"sub\":\"07\",\"exp\":1795255201}", false},
		{"{" FOR_US ",\"sub\":\"-7\",\"exp\":1795255201}", false},
		{"{" FOR_US ",\"sub\":\"+7\",\"exp\":1795255201}", false},
		{"{" FOR_US ",\"sub\":\" 7\",\"exp\":1795255201}", false},
		{"{" FOR_US ",\"sub\":\"7 \",\"exp\":1795255201}", false},
		{"{" FOR_US ",\"sub\":\"9223372036854775807\",\"exp\":1795255201}", true},
		{"{" FOR_US ",\"sub\":\"9223372036854775808\",\"exp\":1795255201}", false},
		{"{" FOR_US ",\"sub\":\"99999999999999999999\",\"exp\":1795255201}", false},
		{"{\"iss\":\"onsale\",\"sub\":\"7\",\"exp\":1795255201}", false},
		{"{\"aud\":\"shop\",\"sub\":\"7\",\"exp\":1795255201}", false},
		{"{\"iss\":\"onsale\",\"aud\":[\"x\",\"shop\"],\"sub\":\"7\",\"exp\":1795255201}",
			true},
		{"{\"iss\":\"onsale\",\"aud\":[\"x\"],\"sub\":\"7\",\"exp\":1795255201}", false},
		{"{\"iss\":\"onsale2\",\"aud\":\"shop\",\"sub\":\"7\",\"exp\":1795255201}", false},
		{"[]", false},
		{"", false},
		{"{", false},
		{"x", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		char text[3 * PART_SIZE];
		forge(HS256, examples[i].claims, secret, text);
		cr_expect_eq(verifies(text, NOW), examples[i].good, "%s", examples[i].claims);
	}
}

Test(jwt, only_the_admin_role_is_admin)
{
	static const char *const roles[] = {
		"\"user\"", "\"Admin\"", "\"admin \"", "true", "1", "[\"admin\"]"};
	struct access_token_key *key = new_key();
	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		char claims[256], text[3 * PART_SIZE];
		snprintf(claims, sizeof(claims),
			"{" FOR_US ",\"sub\":\"7\",\"exp\":1795255201,\"role\":%s}", roles[i]);
		forge(HS256, claims, secret, text);
		struct access_token token;
		cr_expect(access_token_verify(key, text, NOW, &token), "%s", roles[i]);
		cr_expect(!token.admin, "%s", roles[i]);
	}
	access_token_key_free(key);
}

/* A token whose signature is right by its own header, and which libjwt would take. */
Test(jwt, refuses_a_stronger_algorithm_too)
{
	static const char header[] = "{\"alg\":\"HS512\",\"typ\":\"JWT\"}";
	static const char claims[] = "{" FOR_US ",\"sub\":\"7\",\"exp\":1795255201}";
	char header_part[PART_SIZE], claims_part[PART_SIZE], tag_part[PART_SIZE];
	base64url(header, strlen(header), header_part);
	base64url(claims, strlen(claims), claims_part);
	struct buf token = BUF_INIT(3 * PART_SIZE);
	buf_printf(&token, "%s.%s", header_part, claims_part);
	unsigned char tag[crypto_auth_hmacsha512_BYTES];
	crypto_auth_hmacsha512_state state;
	crypto_auth_hmacsha512_init(&state, (const unsigned char *)secret, strlen(secret));
	crypto_auth_hmacsha512_update(&state, (const unsigned char *)token.data, token.len);
	crypto_auth_hmacsha512_final(&state, tag);
	base64url(tag, sizeof(tag), tag_part);
	buf_printf(&token, ".%s", tag_part);
	cr_expect(!verifies(token.data, NOW));
	buf_free(&token);
}

Test(jwt, knows_one_algorithm)
{
	static const char claims[] = "{" FOR_US ",\"sub\":\"7\",\"exp\":1795255201}";
	static const char *const headers[] = {"{\"alg\":\"none\"}", "{\"alg\":\"None\"}",
		"{\"alg\":\"HS384\"}", "{\"alg\":\"HS512\"}", "{\"alg\":\"RS256\"}",
		"{\"alg\":\"\"}", "{\"alg\":1}", "{\"typ\":\"JWT\"}", "{}", "[]", "x",
		"{\"alg\":\"HS256\",\"typ\":\"other\"}"};
	char text[3 * PART_SIZE];
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		forge(headers[i], claims, secret, text);
		if (i < ARRAY_LEN(headers) - 1)
			cr_expect(!verifies(text, NOW), "%s", headers[i]);
		*(strrchr(text, '.') + 1) = '\0'; /* and without a signature */
		cr_expect(!verifies(text, NOW), "unsigned %s", headers[i]);
		*strrchr(text, '.') = '\0';
		cr_expect(!verifies(text, NOW), "unsigned %s", headers[i]);
	}
	forge(HS256, claims, "", text);
	cr_expect(!verifies(text, NOW), "an empty secret");
	forge(HS256, claims, secret, text);
	cr_expect(verifies(text, NOW));
}

static bool verifies_with(const struct access_token_settings *settings, const char *text)
{
	struct access_token_key *key = access_token_key_new(settings);
	struct access_token token;
	bool verified = access_token_verify(key, text, NOW, &token);
	access_token_key_free(key);
	return verified;
}

static void sign_with(const struct access_token_settings *settings, char *text)
{
	struct access_token_key *key = access_token_key_new(settings);
	access_token_sign(key, &example, NOW, text);
	access_token_key_free(key);
}

/* The three steps in which an operator changes the secret: at each one, all tokens that may be about are good. */
Test(jwt, secrets_rotate)
{
	static const char next[] = "the next access token secret, as long";
	struct access_token_settings begun = ours, changed = ours, done = ours;
	char before[ACCESS_TOKEN_TEXT_SIZE], after[ACCESS_TOKEN_TEXT_SIZE];
	begun.previous_key_id = "2";
	begun.previous_secret = next;
	changed.key_id = done.key_id = "2";
	changed.secret = done.secret = next;
	changed.previous_key_id = "1";
	changed.previous_secret = secret;
	done.previous_secret = "";
	sign_with(&begun, before);
	sign_with(&changed, after);
	cr_expect(verifies_with(&ours, before), "nobody signs with the new one yet");
	cr_expect(verifies_with(&begun, before) && verifies_with(&begun, after));
	cr_expect(verifies_with(&changed, before) && verifies_with(&changed, after));
	cr_expect(!verifies_with(&done, before) && verifies_with(&done, after));
}

/* A kid chooses the secret; none stands for the current one. */
Test(jwt, kid_chooses_the_secret)
{
	static const char claims[] = "{" FOR_US ",\"sub\":\"7\",\"exp\":1795255201}";
	static const char other[] = "the previous access token secret, as long";
	static const struct {
		const char *header, *with;
		bool good;
	} examples[] = {
		{HS256, secret, true},
		{HS256, other, false},
		{"{\"alg\":\"HS256\",\"kid\":\"1\"}", secret, true},
		{"{\"alg\":\"HS256\",\"kid\":\"1\"}", other, false},
		{"{\"alg\":\"HS256\",\"kid\":\"0\"}", other, true},
		{"{\"alg\":\"HS256\",\"kid\":\"0\"}", secret, false},
		{"{\"alg\":\"HS256\",\"kid\":\"2\"}", secret, false},
		{"{\"alg\":\"HS256\",\"kid\":\"\"}", secret, false},
		{"{\"alg\":\"HS256\",\"kid\":1}", secret, false},
		{"{\"alg\":\"HS256\",\"kid\":null}", secret, false},
	};
	struct access_token_settings settings = ours;
	settings.previous_key_id = "0";
	settings.previous_secret = other;
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		char text[3 * PART_SIZE];
		forge(examples[i].header, claims, examples[i].with, text);
		cr_expect_eq(verifies_with(&settings, text), examples[i].good, "%zu", i);
	}
}
