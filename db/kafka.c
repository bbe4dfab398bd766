/* A batch is a run of messages, each with a report to come; it has ended when the last of them has. librdkafka keeps
 * a partition's messages in order and without gaps; where it cannot, it declares the producer dead (a fatal error),
 * and the next batch gets a new one. The old one's threads are waited for by a thread. */
#include "db/kafka.h"

#include <stdio.h>

#ifndef ONSALE_KAFKA

bool kafka_new(struct event_base *base, const struct kafka_settings *settings, struct kafka **made,
	char *why, size_t why_size)
{
	(void)base;
	(void)settings;
	*made = NULL;
	snprintf(why, why_size, "this onsale was built without librdkafka: it knows no Kafka");
	return false;
}

void kafka_free(struct kafka *kafka)
{
	(void)kafka;
}

void kafka_send(struct kafka *kafka, const struct outbox_event *events, size_t count,
	void (*done)(void *context, enum db_result result), void *context)
{
	(void)kafka;
	(void)events;
	(void)count;
	done(context, DB_UNAVAILABLE); /* never: there is no kafka to call it with */
}

bool kafka_busy(const struct kafka *kafka)
{
	(void)kafka;
	return false;
}

#else

#include <event2/event.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "proto/base/check.h"
#include "proto/base/log.h"

enum { NUMBER_SIZE = 24, SYSLOG_ERROR = 3 };

struct kafka {
	struct kafka_settings settings;
	rd_kafka_t *producer;
	struct event
		*wake; /* the eventfd's, which librdkafka writes to when it has something to say */
	int wake_fd;
	size_t awaited; /* reports */
	bool failed; /* a message of this batch was not taken */
	bool dead; /* the producer: a fatal error */
	void (*done)(void *context, enum db_result result); /* NULL: no batch */
	void *context;

	/* A dead producer, and the thread that waits for its end. */
	rd_kafka_t *corpse;
	pthread_t burial;
	atomic_bool buried;
};

/* --- what it says; on the loop's thread, within rd_kafka_poll --- */

static void on_report(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
	struct kafka *kafka = opaque;
	(void)producer;

	CHECK(kafka->awaited > 0);
	kafka->awaited--;
	if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
		if (!kafka->failed)
			log_warn("Kafka: %s", rd_kafka_err2str(message->err));
		kafka->failed = true;
	}
}

/* What is still to be sent would wait for ever with a dead producer: its reports come now. */
static void on_error(rd_kafka_t *producer, int error, const char *reason, void *opaque)
{
	struct kafka *kafka = opaque;

	if (error != RD_KAFKA_RESP_ERR__FATAL)
		return; /* logged */
	log_error("Kafka: the producer is given up: %s", reason);
	kafka->dead = true;
	rd_kafka_purge(producer,
		RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

static void on_log(const rd_kafka_t *producer, int level, const char *facility, const char *text)
{
	(void)producer;
	if (level <= SYSLOG_ERROR)
		log_warn("Kafka: %s: %s", facility, text);
}

static void end_batch(struct kafka *kafka)
{
	void (*done)(void *, enum db_result) = kafka->done;

	kafka->done = NULL;
	done(kafka->context, kafka->failed ? DB_FAILED : DB_OK);
}

static void on_wake(evutil_socket_t fd, short what UNUSED, void *arg)
{
	struct kafka *kafka = arg;
	uint64_t count;

	(void)!read(fd, &count, sizeof count); /* nothing to read where we woke ourselves */
	if (kafka->producer != NULL)
		rd_kafka_poll(kafka->producer, 0);
	if (kafka->done != NULL && kafka->awaited == 0)
		end_batch(kafka);
}

/* --- the producer --- */

static bool set_option(
	rd_kafka_conf_t *conf, const char *name, const char *value, char *why, size_t why_size)
{
	return rd_kafka_conf_set(conf, name, value, why, why_size) == RD_KAFKA_CONF_OK;
}

/* The caller's options: name=value;name=value */
static bool set_given_options(
	rd_kafka_conf_t *conf, const char *options, char *why, size_t why_size)
{
	char *copy = must_strdup(options), *rest = NULL;
	bool good = true;

	for (char *name = strtok_r(copy, ";", &rest); good && name != NULL;
		name = strtok_r(NULL, ";", &rest)) {
		char *equals = strchr(name, '=');
		if (equals == NULL) {
			snprintf(why, why_size, "an option of Kafka has no '='");
			good = false;
			break;
		}
		*equals = '\0';
		good = set_option(conf, name, equals + 1, why, why_size);
	}
	free(copy);
	return good;
}

/* Ours come last: order and acknowledgement are not the caller's to give up. */
static bool set_options(
	rd_kafka_conf_t *conf, const struct kafka_settings *settings, char *why, size_t why_size)
{
	static const char *const ours[][2] = {{"client.id", "onsale"}, {"log.queue", "true"},
		{"enable.idempotence", "true"}, {"enable.gapless.guarantee", "true"},
		{"acks", "all"}, {"message.timeout.ms", "0"}};

	if (!set_given_options(conf, settings->options, why, why_size) ||
		!set_option(conf, "bootstrap.servers", settings->brokers, why, why_size))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (!set_option(conf, ours[i][0], ours[i][1], why, why_size))
			return false;
	return true;
}

static bool open_producer(struct kafka *kafka, char *why, size_t why_size)
{
	static const uint64_t one = 1;
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	rd_kafka_conf_set_opaque(conf, kafka);
	rd_kafka_conf_set_dr_msg_cb(conf, on_report);
	rd_kafka_conf_set_error_cb(conf, on_error);
	rd_kafka_conf_set_log_cb(conf, on_log);
	if (!set_options(conf, &kafka->settings, why, why_size)) {
		rd_kafka_conf_destroy(conf);
		return false;
	}
	kafka->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, why_size);
	if (kafka->producer == NULL) {
		rd_kafka_conf_destroy(conf);
		return false;
	}
	rd_kafka_set_log_queue(kafka->producer, NULL);
	rd_kafka_queue_t *queue = rd_kafka_queue_get_main(kafka->producer);
	rd_kafka_queue_io_event_enable(queue, kafka->wake_fd, &one, sizeof one);
	rd_kafka_queue_destroy(queue);
	event_active(kafka->wake, EV_READ,
		0); /* a queue that has something already tells of nothing more */
	kafka->dead = false;
	return true;
}

static void *bury(void *context)
{
	struct kafka *kafka = context;

	rd_kafka_destroy(kafka->corpse);
	atomic_store(&kafka->buried, true);
	return NULL;
}

/* Signals are the loop's: the thread starts with all of them blocked. */
static void begin_burial(struct kafka *kafka)
{
	sigset_t all, before;

	kafka->corpse = kafka->producer;
	kafka->producer = NULL;
	atomic_store(&kafka->buried, false);
	sigfillset(&all);
	CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	CHECK(pthread_create(&kafka->burial, NULL, bury, kafka) == 0);
	CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

static void end_burial(struct kafka *kafka)
{
	CHECK(pthread_join(kafka->burial, NULL) == 0);
	kafka->corpse = NULL;
}

/* True where there is one to send with; it is opened anew where it has died. */
static bool has_producer(struct kafka *kafka)
{
	char why[256];

	if (kafka->producer != NULL && kafka->dead)
		begin_burial(kafka);
	if (kafka->corpse != NULL && atomic_load(&kafka->buried))
		end_burial(kafka);
	if (kafka->producer != NULL)
		return true;
	if (kafka->corpse != NULL)
		return false;
	if (open_producer(kafka, why, sizeof why))
		return true;
	log_error("Kafka: %s", why);
	return false;
}

/* --- outside --- */

bool kafka_new(struct event_base *base, const struct kafka_settings *settings, struct kafka **made,
	char *why, size_t why_size)
{
	struct kafka *kafka = must_calloc(1, sizeof *kafka);

	*made = NULL;
	kafka->settings = *settings;
	kafka->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	CHECK(kafka->wake_fd >= 0);
	kafka->wake = event_new(base, kafka->wake_fd, EV_READ | EV_PERSIST, on_wake, kafka);
	CHECK(kafka->wake != NULL && event_add(kafka->wake, NULL) == 0);
	if (!open_producer(kafka, why, why_size)) {
		kafka_free(kafka);
		return false;
	}
	*made = kafka;
	return true;
}

void kafka_free(struct kafka *kafka)
{
	if (kafka == NULL)
		return;
	if (kafka->producer != NULL) {
		rd_kafka_purge(kafka->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
		rd_kafka_poll(kafka->producer, 0);
		rd_kafka_destroy(kafka->producer);
	}
	if (kafka->corpse != NULL)
		end_burial(kafka);
	event_free(kafka->wake);
	close(kafka->wake_fd);
	free(kafka);
}

/* False where the message is not taken: those behind it must not be sent either. */
static bool produce(struct kafka *kafka, const struct outbox_event *event)
{
	char key[NUMBER_SIZE], id[NUMBER_SIZE];
	int key_len = snprintf(key, sizeof key, "%" PRId64, event->reservation_id);
	int id_len = snprintf(id, sizeof id, "%" PRId64, event->id);
	rd_kafka_resp_err_t error = rd_kafka_producev(kafka->producer,
		RD_KAFKA_V_TOPIC(kafka->settings.topic), RD_KAFKA_V_KEY(key, (size_t)key_len),
		RD_KAFKA_V_VALUE((void *)(uintptr_t)event->payload, strlen(event->payload)),
		RD_KAFKA_V_HEADER("id", id, (ssize_t)id_len),
		RD_KAFKA_V_HEADER("kind", event->kind, (ssize_t)strlen(event->kind)),
		RD_KAFKA_V_HEADER(
			"created_at", event->created_at, (ssize_t)strlen(event->created_at)),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);

	if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
		kafka->awaited++;
	else
		log_warn("Kafka: event %s: %s", id, rd_kafka_err2str(error));
	return error == RD_KAFKA_RESP_ERR_NO_ERROR;
}

void kafka_send(struct kafka *kafka, const struct outbox_event *events, size_t count,
	void (*done)(void *context, enum db_result result), void *context)
{
	CHECK(kafka->done == NULL && count <= STORE_OUTBOX_MAX);
	kafka->done = done;
	kafka->context = context;
	kafka->failed = !has_producer(kafka);
	for (size_t i = 0; i < count && !kafka->failed; i++)
		kafka->failed = !produce(kafka, &events[i]);
	if (kafka->awaited == 0)
		event_active(kafka->wake, EV_READ, 0);
}

bool kafka_busy(const struct kafka *kafka)
{
	return kafka != NULL && kafka->done != NULL;
}

#endif
