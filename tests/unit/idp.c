/* Access tokens by an outside identity provider: what is refused is refused for the one reason that the example
 * names; all else in it is right. */
#include "proto/idp.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/buf.h"
#include "tests/support/idp.h"

enum { NOW = 1795255200 };

#define RS256 "{\"alg\":\"RS256\",\"kid\":\"one\"}"
#define ES256 "{\"alg\":\"ES256\",\"kid\":\"one\"}"
#define FOR_US "\"iss\":\"https://id.test/\",\"aud\":\"shop\""
#define ALICE "{" FOR_US ",\"sub\":\"alice\",\"exp\":1795255201}"

static void add_key(struct idp *idp, const char *kid, enum idp_signer signer)
{
	char *pem = idp_public_pem(signer), why[200];

	cr_assert(idp_add_key(idp, kid, pem, strlen(pem), why, sizeof why), "%s", why);
	free(pem);
}

static struct idp *new_idp(const char *algorithm, enum idp_signer signer)
{
	struct idp *idp = idp_new("https://id.test/", "shop", algorithm);

	add_key(idp, "one", signer);
	return idp;
}

static bool verifies(const struct idp *idp, const char *text)
{
	struct idp_person person;

	return idp_verify(idp, text, NOW, &person);
}

static void expect_token(const struct idp *idp, enum idp_signer signer, const char *header,
	const char *claims, bool good)
{
	char *text = idp_sign(signer, header, claims);

	cr_expect_eq(verifies(idp, text), good, "%s %s", header, claims);
	free(text);
}

Test(idp, tells_who_it_is)
{
	static const struct {
		const char *algorithm, *header;
		enum idp_signer signer;
	} examples[] = {{"RS256", RS256, IDP_RSA}, {"ES256", ES256, IDP_EC}};

	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		struct idp *idp = new_idp(examples[i].algorithm, examples[i].signer);
		struct idp_person person;
		char *text = idp_sign(examples[i].signer, examples[i].header,
			"{" FOR_US ",\"sub\":\"auth0|7\",\"exp\":1795255300,\"email\":\"A@b.test\","
			"\"email_verified\":true,\"name\":\"\\u2603\",\"role\":\"admin\"}");
		cr_assert(idp_verify(idp, text, NOW, &person));
		cr_expect_str_eq(person.subject, "auth0|7");
		cr_expect_str_eq(person.email, "A@b.test");
		cr_expect_str_eq(person.name, "\u2603");
		cr_expect_eq(person.expires_unix_s, NOW + 100);
		cr_expect(!idp_verify(idp, text, NOW + 100, &person));
		free(text);
		idp_free(idp);
	}
	idp_free(NULL);
}

Test(idp, judges_claims)
{
	static const struct {
		const char *claims;
		bool good;
	} examples[] = {
		{ALICE, true},
		{"{" FOR_US ",\"sub\":\"a\",\"exp\":1795255200}", false},
		{"{" FOR_US ",\"sub\":\"a\",\"exp\":\"1795255201\"}", false},
		{"{" FOR_US ",\"sub\":\"a\"}", false},
		{"{" FOR_US ",\"exp\":1795255201}", false},
		{"{" FOR_US ",\"sub\":\"\",\"exp\":1795255201}", false},
		{"{" FOR_US ",\"sub\":7,\"exp\":1795255201}", false},
		{"{" FOR_US ",\"sub\":\"a\\u0000b\",\"exp\":1795255201}", false},
		{"{" FOR_US ",\"sub\":\"a\\u0000b\",\"exp\":1795255201,\"a\\u0000b\":1}", false},
		{"{" FOR_US ",\"sub\":\"a\\u0000b\",\"exp\":1795255201,\"n\":1e999}", false},
		{"{" FOR_US ",\"sub\":\"a\",\"exp\":1795255201,\"n\":1e999}", true},
		{"{" FOR_US ",\"sub\":\"a\",\"exp\":1795255201,\"nbf\":1795255205}", true},
		{"{" FOR_US ",\"sub\":\"a\",\"exp\":1795255201,\"nbf\":1795255206}", false},
		{"{" FOR_US ",\"sub\":\"a\",\"exp\":1795255201,\"iat\":1795255206}", false},
		{"{" FOR_US ",\"sub\":\"a\",\"sub\":\"b\",\"exp\":1795255201}", false},
		{"{\"aud\":\"shop\",\"sub\":\"a\",\"exp\":1795255201}", false},
		{"{\"iss\":\"https://id.test\",\"aud\":\"shop\",\"sub\":\"a\",\"exp\":1795255201}",
			false},
		{"{\"iss\":[\"https://id.test/\"],\"aud\":\"shop\",\"sub\":\"a\",\"exp\":1795255201}",
			false},
		{"{\"iss\":\"https://id.test/\",\"sub\":\"a\",\"exp\":1795255201}", false},
		{"{\"iss\":\"https://id.test/\",\"aud\":\"other\",\"sub\":\"a\",\"exp\":1795255201}",
			false},
		{"{\"iss\":\"https://id.test/\",\"aud\":[\"other\",\"shop\"],\"sub\":\"a\",\"exp\":1795255201}",
			true},
		{"{\"iss\":\"https://id.test/\",\"aud\":[\"other\"],\"sub\":\"a\",\"exp\":1795255201}",
			false},
		{"{\"iss\":\"https://id.test/\",\"aud\":[],\"sub\":\"a\",\"exp\":1795255201}",
			false},
		{"{\"iss\":\"https://id.test/\",\"aud\":[[\"shop\"]],\"sub\":\"a\",\"exp\":1795255201}",
			false},
		{"[]", false},
		{"{", false},
	};
	struct idp *idp = new_idp("RS256", IDP_RSA);

	for (size_t i = 0; i < ARRAY_LEN(examples); i++)
		expect_token(idp, IDP_RSA, RS256, examples[i].claims, examples[i].good);
	idp_free(idp);
}

/* An address that was not verified, or is none, is left out; the person stays. */
Test(idp, leaves_out_what_it_cannot_use)
{
	static const struct {
		const char *claims, *email, *name;
	} examples[] = {
		{"\"email\":\"a@b\"", "a@b", ""},
		{"\"email\":\"a@b\",\"email_verified\":false", "", ""},
		{"\"email\":\"a@b\",\"email_verified\":\"false\"", "", ""},
		{"\"email\":\"a b@c\",\"name\":\"A B\"", "", "A B"},
		{"\"email\":7,\"name\":[]", "", ""},
		{"\"email\":null,\"name\":\"a\\u0000b\"", "", ""},
	};
	struct idp *idp = new_idp("ES256", IDP_EC);

	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		struct idp_person person;
		char claims[400];
		snprintf(claims, sizeof claims, "{" FOR_US ",\"sub\":\"a\",\"exp\":1795255201,%s}",
			examples[i].claims);
		char *text = idp_sign(IDP_EC, ES256, claims);
		cr_assert(idp_verify(idp, text, NOW, &person), "%s", claims);
		cr_expect_str_eq(person.email, examples[i].email, "%s", claims);
		cr_expect_str_eq(person.name, examples[i].name, "%s", claims);
		free(text);
	}
	idp_free(idp);
}

Test(idp, judges_headers)
{
	static const struct {
		const char *header;
		bool good;
	} examples[] = {
		{RS256, true},
		{"{\"alg\":\"RS256\"}", true}, /* there is one key only */
		{"{\"alg\":\"RS256\",\"kid\":\"one\",\"typ\":\"at+jwt\"}", true},
		{"{\"alg\":\"RS256\",\"kid\":\"two\"}", false},
		{"{\"alg\":\"RS256\",\"kid\":\"\"}", false},
		{"{\"alg\":\"RS256\",\"kid\":1}", false},
		{"{\"alg\":\"RS256\",\"kid\":\"one\\u0000\"}", false},
		{"{\"alg\":\"RS256\",\"kid\":\"one\",\"crit\":[\"b64\"],\"b64\":false}", false},
		{"{\"alg\":\"ES256\",\"kid\":\"one\"}", false},
		{"{\"alg\":\"PS256\",\"kid\":\"one\"}", false},
		{"{\"alg\":\"rs256\",\"kid\":\"one\"}", false},
		{"{\"alg\":\"none\",\"kid\":\"one\"}", false},
		{"{\"kid\":\"one\"}", false},
	};
	struct idp *idp = new_idp("RS256", IDP_RSA);

	for (size_t i = 0; i < ARRAY_LEN(examples); i++)
		expect_token(idp, IDP_RSA, examples[i].header, ALICE, examples[i].good);
	idp_free(idp);
}

/* The algorithm is the settings', whatever the token says and however well it is signed by that. */
Test(idp, the_algorithm_is_fixed)
{
	static const char *const algorithms[] = {"HS256", "none", "RS256", "ES256"};
	struct idp *rsa = new_idp("RS256", IDP_RSA), *ec = new_idp("ES256", IDP_EC);
	char *pem = idp_public_pem(IDP_RSA), header[64];

	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
		snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"one\"}", algorithms[i]);
		char *texts[] = {idp_sign_with_secret(pem, header, ALICE),
			idp_sign_with_secret("", header, ALICE),
			idp_sign_with_secret(NULL, header, ALICE)};
		for (size_t j = 0; j < ARRAY_LEN(texts); j++) {
			cr_expect_not(verifies(rsa, texts[j]), "%s", texts[j]);
			cr_expect_not(verifies(ec, texts[j]), "%s", texts[j]);
			free(texts[j]);
		}
	}
	expect_token(ec, IDP_RSA, RS256, ALICE, false);
	expect_token(ec, IDP_RSA, ES256, ALICE, false);
	expect_token(rsa, IDP_EC, RS256, ALICE, false);
	expect_token(rsa, IDP_EC, ES256, ALICE, false);
	free(pem);
	idp_free(rsa);
	idp_free(ec);
}

Test(idp, keys_rotate)
{
	struct idp *idp = new_idp("RS256", IDP_RSA);

	expect_token(idp, IDP_RSA_OTHER, RS256, ALICE, false);
	expect_token(idp, IDP_RSA_OTHER, "{\"alg\":\"RS256\",\"kid\":\"two\"}", ALICE, false);
	add_key(idp, "two", IDP_RSA_OTHER);
	expect_token(idp, IDP_RSA, RS256, ALICE, true);
	expect_token(idp, IDP_RSA_OTHER, "{\"alg\":\"RS256\",\"kid\":\"two\"}", ALICE, true);
	expect_token(idp, IDP_RSA_OTHER, RS256, ALICE, false);
	expect_token(idp, IDP_RSA, "{\"alg\":\"RS256\"}", ALICE, false);
	idp_free(idp);
}

Test(idp, refuses_changed_and_cut_texts)
{
	static const enum idp_signer signers[] = {IDP_RSA, IDP_EC};
	static const char *const tails[] = {"A", ".", ".A", "=", "==", " ", "\n", ".e30", "AAAA"};

	for (size_t s = 0; s < ARRAY_LEN(signers); s++) {
		bool elliptic = signers[s] == IDP_EC;
		struct idp *idp = new_idp(elliptic ? "ES256" : "RS256", signers[s]);
		char *text = idp_sign(signers[s], elliptic ? ES256 : RS256, ALICE), changed[4096];
		size_t len = strlen(text);
		cr_assert(verifies(idp, text));
		for (size_t i = 0; i < len; i++) {
			memcpy(changed, text, len + 1);
			changed[i] = text[i] == 'A' ? 'Q' : 'A';
			cr_expect_not(verifies(idp, changed), "%zu: %s", i, changed);
			changed[i] = '\0';
			cr_expect_not(verifies(idp, changed), "cut at %zu", i);
		}
		for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
			snprintf(changed, sizeof changed, "%s%s", text, tails[i]);
			cr_expect_not(verifies(idp, changed), "%s", tails[i]);
		}
		free(text);
		idp_free(idp);
	}
}

/* Providers put a lot into their tokens. */
Test(idp, takes_long_tokens)
{
	struct idp *idp = new_idp("RS256", IDP_RSA);

	for (int groups = 100; groups <= 300; groups += 200) {
		struct buf claims = BUF_INIT(16 * 1024);
		buf_append_text(&claims, "{\"groups\":[\"a\"");
		for (int i = 0; i < groups; i++)
			buf_printf(&claims, ",\"a group with number %d\"", i);
		buf_append_text(&claims, "]," FOR_US ",\"sub\":\"a\",\"exp\":1795255201}");
		char *text = idp_sign(IDP_RSA, RS256, claims.data);
		cr_expect_eq(verifies(idp, text), groups == 100, "%zu bytes", strlen(text));
		cr_expect_gt(strlen(text), 3500);
		free(text);
		buf_free(&claims);
	}
	idp_free(idp);
}

/* Made by openssl: an RSA key of 1024 bits, and one on the curve P-384. */
static const char small_rsa[] = "-----BEGIN PUBLIC KEY-----\n"
				"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDdKp/ddltqdA9tYUCy3Mbl7JbC\n"
				"MVRJYVmYEO8xWnIKnyCXdOyyavnbhJzOKgG43B4rB0JLrFPVRbo7PhbW3U6Mgh0H\n"
				"j19o9CQiwWRIHMtqcoyOzKaOYUY2OYM+07JeyO99IxF9+zV19I6AruNlZ4Uucb9U\n"
				"kar/KIsZRL1zmIdjrQIDAQAB\n"
				"-----END PUBLIC KEY-----\n";
static const char other_curve[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEqwSa8Xj32bvM+v+1/foP1ZRnMekJ7riZ\n"
	"clb4btxGXCa2h9MqnLkSDVnqwaNbbmDEhXXeE+Jpi43SlLMe3YHbkP7JNCyeEEg+\n"
	"IIqaiF1KZvhqaQfqbvYPCq5ow88w2TiF\n"
	"-----END PUBLIC KEY-----\n";

Test(idp, takes_keys_of_its_algorithm_only)
{
	struct idp *rsa = idp_new("i", "a", "RS256"), *ec = idp_new("i", "a", "ES256");
	char *rsa_pem = idp_public_pem(IDP_RSA), *ec_pem = idp_public_pem(IDP_EC), why[200];
	const struct {
		struct idp *idp;
		const char *pem;
	} examples[] = {{rsa, ec_pem}, {ec, rsa_pem}, {rsa, small_rsa}, {ec, other_curve},
		{rsa, ""}, {ec, "nonsense"}};

	for (size_t i = 0; i < ARRAY_LEN(examples); i++)
		cr_expect_not(idp_add_key(examples[i].idp, "k", examples[i].pem,
				      strlen(examples[i].pem), why, sizeof why),
			"%zu", i);
	cr_expect_not(idp_add_key(rsa, "", rsa_pem, strlen(rsa_pem), why, sizeof why));
	for (int i = 0; i < IDP_KEYS_MAX; i++)
		cr_expect(idp_add_key(rsa, "k", rsa_pem, strlen(rsa_pem), why, sizeof why));
	cr_expect_not(idp_add_key(rsa, "k", rsa_pem, strlen(rsa_pem), why, sizeof why));
	free(rsa_pem);
	free(ec_pem);
	idp_free(rsa);
	idp_free(ec);
}
