/* Addresses: the first line is a list of trusted networks, the second a peer, the rest an X-Forwarded-For. An
 * address that is written reads as it was, every network has its own address in it, and the client that comes out
 * is the peer or somebody whom a trusted one named: nobody further left than the first stranger from the right. */
#include "proto/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"
#include "tests/fuzz/fuzz.h"

static bool same(const struct address *one, const struct address *other)
{
	return memcmp(one, other, sizeof *one) == 0;
}

static void check_round(const struct address *address)
{
	char text[INET6_ADDRSTRLEN + 16], ported[INET6_ADDRSTRLEN + 16];
	struct address again;

	CHECK(inet_ntop(AF_INET6, address->bytes, text, INET6_ADDRSTRLEN) != NULL);
	CHECK(address_parse(text, strlen(text), &again) && same(&again, address));
	snprintf(ported, sizeof ported, "[%s]:8080", text);
	CHECK(address_parse(ported, strlen(ported), &again) && same(&again, address));
	struct address part = address_client_part(address);
	CHECK(memcmp(&part, address, 8) == 0);
	again = address_client_part(&part);
	CHECK(same(&again, &part));
}

static bool read_networks(const char *text, struct networks *networks)
{
	if (!networks_parse(text, networks))
		return false;
	CHECK(networks->count <= NETWORKS_MAX);
	for (size_t i = 0; i < networks->count; i++) {
		CHECK(networks->list[i].bits <= 128);
		CHECK(networks_have(networks, &networks->list[i].address));
	}
	return true;
}

/* The list is read from the right by a slower, plainer way: each element in turn, until one is not trusted. */
static struct address expected(
	const struct networks *trusted, const struct address *peer, const char *list)
{
	struct address client = *peer;
	char *text = must_strdup(list);

	while (text[0] != '\0' && networks_have(trusted, &client)) {
		char *comma = strrchr(text, ','), *element = comma != NULL ? comma + 1 : text;
		element += strspn(element, " \t");
		size_t len = strlen(element);
		while (len > 0 && strchr(" \t", element[len - 1]) != NULL)
			len--;
		if (!address_parse(element, len, &client))
			break;
		if (comma == NULL)
			break;
		*comma = '\0';
	}
	free(text);
	return client;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct fuzz_input input = {bytes, len};
	char *list = fuzz_take_line(&input), *peer_text = fuzz_take_line(&input);
	char *forwarded = fuzz_take_rest(&input);
	struct networks networks;
	struct address peer;

	if (address_parse(peer_text, strlen(peer_text), &peer)) {
		check_round(&peer);
		if (read_networks(list, &networks)) {
			struct address client = forwarded_client(&networks, &peer, forwarded);
			struct address wanted = expected(&networks, &peer, forwarded);
			CHECK(same(&client, &wanted));
			CHECK(networks_have(&networks, &peer) || same(&client, &peer));
			client = forwarded_client(&networks, &peer, NULL);
			CHECK(same(&client, &peer));
		}
	}
	if (len >= 16) {
		struct address v4 = address_from_v4(bytes), v6 = address_from_v6(bytes);
		check_round(&v4);
		check_round(&v6);
	}
	free(list);
	free(peer_text);
	free(forwarded);
	return 0;
}
