/* Client addresses: texts, networks, and who is believed about whom. */
#include "proto/address.h"

#include <criterion/criterion.h>
#include <string.h>
#include "proto/base/check.h"

static struct address of(const char *text)
{
	struct address address;

	cr_assert(address_parse(text, strlen(text), &address), "%s", text);
	return address;
}

static bool same(const char *left, const char *right)
{
	struct address a = of(left), b = of(right);

	return memcmp(&a, &b, sizeof a) == 0;
}

Test(address, are_read)
{
	static const char *const wrong[] = {"", "1.2.3", "1.2.3.4.5", "1.2.3.400", "unknown",
		"_hidden", "[::1", "::1]", "[::1]x", "1.2.3.4 5", ":80", "[]",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:1111:2222:3333:4444:5555:6666:7777"};
	struct address address;

	cr_expect(same("192.0.2.1", "192.0.2.1:8080"));
	cr_expect(same("192.0.2.1", "::ffff:192.0.2.1"));
	cr_expect(same("2001:db8::1", "[2001:db8:0::1]") && same("::1", "[::1]:80"));
	cr_expect(!same("192.0.2.1", "192.0.2.2") && !same("::1", "127.0.0.1"));
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		cr_expect(!address_parse(wrong[i], strlen(wrong[i]), &address), "%s", wrong[i]);
}

Test(address, stand_for_a_client)
{
	struct address a = of("2001:db8:1:2:3:4:5:6"), b = of("2001:db8:1:2::9"),
		       other = of("2001:db8:1:3::9"), v4 = of("192.0.2.1");
	struct address of_a = address_client_part(&a), of_b = address_client_part(&b);
	struct address of_other = address_client_part(&other), of_v4 = address_client_part(&v4);

	cr_expect(memcmp(&of_a, &of_b, sizeof a) == 0);
	cr_expect(memcmp(&of_a, &of_other, sizeof a) != 0);
	cr_expect(memcmp(&v4, &of_v4, sizeof v4) == 0);
}

Test(address, networks)
{
	static const char *const wrong[] = {"x", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1",
		"::1/129", "10.0.0.0/8,", ",10.0.0.0", "10.0.0.1:80", "10.0.0.0/8 10.1.0.0/16"};
	struct networks networks;

	cr_assert(networks_parse(" 10.0.0.0/9 ,192.0.2.7,2001:db8::/33, ::1", &networks));
	cr_assert_eq(networks.count, 4);
	static const char *const in[] = {"10.0.0.1", "10.127.255.255", "192.0.2.7",
		"2001:db8:7fff::1", "::1", "::ffff:10.0.0.1"};
	static const char *const out[] = {
		"10.128.0.0", "11.0.0.1", "192.0.2.6", "2001:db8:8000::1", "::2", "::10.0.0.1"};
	for (size_t i = 0; i < ARRAY_LEN(in); i++) {
		struct address inside = of(in[i]), outside = of(out[i]);
		cr_expect(networks_have(&networks, &inside), "%s", in[i]);
		cr_expect(!networks_have(&networks, &outside), "%s", out[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		cr_expect(!networks_parse(wrong[i], &networks), "%s", wrong[i]);
	cr_expect(networks_parse("", &networks) && networks.count == 0);
	cr_expect(networks_parse("0.0.0.0/0", &networks));
	struct address v4 = of("8.8.8.8"), v6 = of("2001::1");
	cr_expect(networks_have(&networks, &v4) && !networks_have(&networks, &v6));
}

Test(address, forwarded)
{
	static const struct {
		const char *peer, *header, *client;
	} rows[] = {
		{"192.0.2.1", NULL, "192.0.2.1"},
		{"192.0.2.1", "198.51.100.1", "192.0.2.1"}, /* not one of ours */
		{"10.0.0.1", NULL, "10.0.0.1"},
		{"10.0.0.1", "", "10.0.0.1"},
		{"10.0.0.1", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"}, /* the client's own lie */
		{"10.0.0.1", "1.1.1.1, 198.51.100.1 ,10.0.0.2", "198.51.100.1"},
		{"10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"},
		{"10.0.0.1", "1.1.1.1, nobody, 10.0.0.2", "10.0.0.2"},
		{"10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"},
		{"10.0.0.1", ",,", "10.0.0.1"},
	};
	struct networks trusted;

	cr_assert(networks_parse("10.0.0.0/8", &trusted));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct address peer = of(rows[i].peer), client = of(rows[i].client);
		struct address found = forwarded_client(&trusted, &peer, rows[i].header);
		cr_expect(memcmp(&found, &client, sizeof found) == 0, "%s: %s", rows[i].peer,
			rows[i].header != NULL ? rows[i].header : "none");
	}
}

Test(address, written)
{
	static const char *const texts[] = {"192.0.2.1", "0.0.0.0", "255.255.255.255",
		"9.10.99.100", "::", "::1", "2001:db8::1",
		"abab:abab:abab:abab:abab:abab:abab:abab"};
	char text[ADDRESS_TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct address address = of(texts[i]);
		cr_expect_str_eq(address_text(&address, text), texts[i]);
	}
}
