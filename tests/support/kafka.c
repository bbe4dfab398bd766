/* The mock cluster hangs on a handle of librdkafka that does nothing else. */
#include "tests/support/kafka.h"

#include <criterion/criterion.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"
#include "tests/support/database.h"
#include "tests/support/process.h"

enum { PRODUCE = 0 }; /* Kafka's number of the request */

struct kafka_brokers {
	rd_kafka_t *handle;
	rd_kafka_mock_cluster_t *cluster;
};

struct kafka_brokers *kafka_brokers_open(void)
{
	struct kafka_brokers *brokers = must_calloc(1, sizeof *brokers);
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[256] = "";

	cr_assert(rd_kafka_conf_set(conf, "log_level", "3", why, sizeof why) == RD_KAFKA_CONF_OK);
	brokers->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
	cr_assert(brokers->handle != NULL, "%s", why);
	brokers->cluster = rd_kafka_mock_cluster_new(brokers->handle, KAFKA_BROKERS);
	cr_assert_not_null(brokers->cluster);
	return brokers;
}

void kafka_brokers_close(struct kafka_brokers *brokers)
{
	rd_kafka_mock_cluster_destroy(brokers->cluster);
	rd_kafka_destroy(brokers->handle);
	free(brokers);
}

const char *kafka_brokers_address(const struct kafka_brokers *brokers)
{
	return rd_kafka_mock_cluster_bootstraps(brokers->cluster);
}

void kafka_brokers_set(struct kafka_brokers *brokers, bool there)
{
	for (int32_t id = 1; id <= KAFKA_BROKERS; id++)
		cr_assert((there ? rd_kafka_mock_broker_set_up(brokers->cluster, id)
				 : rd_kafka_mock_broker_set_down(brokers->cluster, id)) ==
			  RD_KAFKA_RESP_ERR_NO_ERROR);
}

void kafka_brokers_refuse(struct kafka_brokers *brokers, unsigned batches, bool for_ever)
{
	for (unsigned i = 0; i < batches; i++)
		rd_kafka_mock_push_request_errors(brokers->cluster, PRODUCE, 1,
			for_ever ? RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE
				 : RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
}

void kafka_brokers_read(const struct kafka_brokers *brokers, const char *topic, struct buf *lines)
{
	const char *argv[] = {"kcat", "-C", "-q", "-e", "-b", kafka_brokers_address(brokers), "-t",
		topic, "-o", "beginning", "-f", "%k\t%h\t%s\n", NULL};

	cr_assert(process_run(argv, NULL, NULL, lines) == 0, "kcat: %s",
		lines->data != NULL ? lines->data : "");
	if (lines->len == 0)
		buf_append_text(lines, "");
}

/* id=1,kind=reservation.held,created_at=… */
static const char *header(const char *headers, const char *name, char value[64])
{
	const char *at = strstr(headers, name);

	cr_assert(at != NULL && at[strlen(name)] == '=', "no %s in %s", name, headers);
	at += strlen(name) + 1;
	size_t len = strcspn(at, ",\t");
	cr_assert(len < 64);
	memcpy(value, at, len);
	value[len] = '\0';
	return value;
}

void kafka_deliveries_read(struct deliveries *deliveries, PGconn *db,
	const struct kafka_brokers *brokers, const char *topic)
{
	struct buf lines = BUF_INIT(PROCESS_OUTPUT_MAX);
	char *rest = NULL, id[64], kind[64];

	deliveries_begin(deliveries, db);
	kafka_brokers_read(brokers, topic, &lines);
	for (char *line = lines.data != NULL ? strtok_r(lines.data, "\n", &rest) : NULL;
		line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		const char *headers = strchr(line, '\t');
		cr_assert(headers != NULL && strstr(headers + 1, "\t{") != NULL, "%s", line);
		deliveries_add(deliveries, strtoll(header(headers, "id", id), NULL, 10),
			strtoll(line, NULL, 10), header(headers, "kind", kind));
	}
	buf_free(&lines);
}
