/* A Kafka of a test's own: librdkafka's mock brokers, on ports of 127.0.0.1 and threads of the test's process. What
 * they have is read by kcat. */
#ifndef ONSALE_TESTS_SUPPORT_KAFKA_H
#define ONSALE_TESTS_SUPPORT_KAFKA_H

#include <stdbool.h>
#include "proto/base/buf.h"
#include "tests/support/deliveries.h"

enum { KAFKA_BROKERS = 3 };

struct kafka_brokers;

struct kafka_brokers *kafka_brokers_open(void);
void kafka_brokers_close(struct kafka_brokers *brokers);

/* host:port, … */
const char *kafka_brokers_address(const struct kafka_brokers *brokers);

/* false: none takes connections any more. */
void kafka_brokers_set(struct kafka_brokers *brokers, bool there);

/* The next batches of messages are refused, for a while (the leader has moved) or for ever (they are too large). */
void kafka_brokers_refuse(struct kafka_brokers *brokers, unsigned batches, bool for_ever);

/* All messages of the topic: a line each of key, headers and value, between tabs. */
void kafka_brokers_read(const struct kafka_brokers *brokers, const char *topic, struct buf *lines);

/* … as deliveries. In the order of each partition, and so of each reservation. */
void kafka_deliveries_read(struct deliveries *deliveries, PGconn *db,
	const struct kafka_brokers *brokers, const char *topic);

#endif
