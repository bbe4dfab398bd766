/* What is on sale, through the store: what operators create and change, and what instances read of it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "db/store_catalog.h"
#include "tests/live/shop.h"
#include "tests/support/wait.h"

static void read_changes(struct shop *shop, struct store_changes *changes, int64_t events_after,
	int64_t performances_after)
{
	struct shop_answer answer;

	changes->events_after = events_after;
	changes->performances_after = performances_after;
	changes->limit = 100;
	shop_expect(&changes->op, &answer);
	store_changes(shop->pg, changes);
	shop_await(shop, &answer);
}

Test(store_catalog, an_event_is_created_and_found_as_it_was_given)
{
	struct shop shop;
	struct shop_answer answer;
	struct store_changes changes;
	struct store_event_create create = {.admin_id = SHOP_OPERATOR,
		.event = {.title = "Ein \"Konzert\"",
			.venue = "서울",
			.has_opening = true,
			.sale_opens_unix_ms = 1800000000123,
			.queue_enabled = true,
			.queue_paused = true,
			.capacity = 10,
			.admit_per_second = 20,
			.pass_ttl_seconds = 30,
			.abandon_after_seconds = 40,
			.message = "soon"}};

	shop_open(&shop, 1, 1);
	shop_expect(&create.op, &answer);
	store_event_create(shop.pg, &create);
	shop_await(&shop, &answer);
	cr_assert_eq(create.event.id, 2);
	read_changes(&shop, &changes, 0, 0);
	cr_assert_eq(changes.event_count, 2);
	cr_assert_eq(changes.performance_count, 2);
	const struct store_event *event = &changes.events[1];
	cr_expect_eq(event->id, 2);
	cr_expect_str_eq(event->title, create.event.title);
	cr_expect_str_eq(event->venue, create.event.venue);
	cr_expect_str_eq(event->message, "soon");
	cr_expect(event->has_opening && event->sale_opens_unix_ms == 1800000000123);
	cr_expect(event->queue_enabled && event->queue_paused);
	cr_expect(event->capacity == 10 && event->admit_per_second == 20);
	cr_expect(event->pass_ttl_seconds == 30 && event->abandon_after_seconds == 40);
	cr_expect_not(changes.events[0].has_opening);
	int64_t seen = event->revision, seen_performances = changes.performances[1].revision;
	cr_expect_gt(seen, changes.events[0].revision);
	store_changes_free(&changes);
	read_changes(&shop, &changes, seen, seen_performances);
	cr_expect(changes.event_count == 0 && changes.performance_count == 0);
	store_changes_free(&changes);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM admin_audit WHERE admin_id = 1"
					" AND action = 'event.create' AND event_id = 2"),
		1);
	shop_close(&shop);
}

static void read_letters(struct shop *shop, struct store_seat_letters *letters)
{
	struct shop_answer answer;

	shop_expect(&letters->op, &answer);
	store_seat_letters(shop->pg, letters);
	shop_await(shop, &answer);
	cr_assert_eq(answer.result, DB_OK);
}

static void read_list(struct shop *shop, struct store_seat_list *list)
{
	struct shop_answer answer;

	shop_expect(&list->op, &answer);
	store_seat_list(shop->pg, list);
	shop_await(shop, &answer);
	cr_assert_eq(answer.result, DB_OK);
}

Test(store_catalog, a_performance_comes_with_its_seats_in_order)
{
	static const struct store_section sections[] = {
		{.name = "Stalls", .rows = 28, .seats_per_row = 3, .price = 50},
		{.name = "Balcony", .rows = 1, .seats_per_row = 11, .price = 20}};
	struct shop shop;
	struct shop_answer answer;
	struct store_performance_create create = {.admin_id = SHOP_OPERATOR,
		.event_id = 1,
		.starts_unix_ms = 1800000000123,
		.sections = sections,
		.section_count = 2};
	struct store_seat_list list = {0};
	struct store_seat_letters letters = {0};
	struct store_changes changes;
	const char *first = "{\"id\":195,\"section\":\"Balcony\",\"row\":\"A\",\"number\":1,"
			    "\"price\":20,\"status\":\"\n{\"id\":196,";

	shop_open(&shop, 1, 1);
	shop_expect(&create.op, &answer);
	store_performance_create(shop.pg, &create);
	shop_await(&shop, &answer);
	cr_assert(create.found);
	cr_expect_eq(create.seats_total, 95);
	read_changes(&shop, &changes, 0, 0);
	cr_assert_eq(changes.performance_count, 3);
	cr_expect_eq(changes.performances[2].id, create.id);
	cr_expect_eq(changes.performances[2].event_id, 1);
	cr_expect_eq(changes.performances[2].starts_unix_ms, 1800000000123);
	cr_expect_eq(changes.performances[2].seats_total, 95);
	store_changes_free(&changes);

	letters.performance_id = list.performance_id = create.id;
	read_letters(&shop, &letters);
	cr_assert(letters.found);
	cr_expect_eq(letters.letters_len, 95);
	cr_expect_eq(strspn(letters.letters, "A"), 95);
	cr_expect_not(letters.lapses);
	store_seat_letters_free(&letters);
	read_list(&shop, &list);
	cr_assert(list.found);
	cr_expect_eq(strncmp(list.lines, first, strlen(first)), 0);
	const char *last = strstr(list.lines, "\"row\":\"Z\",\"number\":3,");
	cr_assert_not_null(last);
	cr_expect_not_null(strstr(last, "\"row\":\"AA\",\"number\":1,")); /* AA comes after Z */
	cr_expect_eq(list.lines[list.lines_len - 1], '\n');
	store_seat_list_free(&list);

	create.event_id = 99;
	shop_expect(&create.op, &answer);
	store_performance_create(shop.pg, &create);
	shop_await(&shop, &answer);
	cr_expect_not(create.found);
	shop_close(&shop);
}

Test(store_catalog, the_seat_map_and_what_is_left_judge_a_hold_by_its_expiry)
{
	struct shop shop;
	struct shop_answer answer;
	struct store_pay pay = {0};
	struct store_seat_letters letters = {.performance_id = 2};
	struct store_seat_list list = {.performance_id = 99};
	struct store_hold hold = {.performance_id = 2};
	int64_t ids[] = {2, 99, 1}, available[3], sold[3];
	struct store_availability left = {
		.performance_ids = ids, .count = 3, .available = available, .sold = sold};
	const int64_t held[] = {101, 102}, lapsed = 104, paid = 103;

	shop_open(&shop, 1, 1);
	shop_hold(&shop, &hold, "held", 5, held, 2);
	shop_hold(&shop, &hold, "paid", 5, &paid, 1);
	shop_pay(&shop, &pay, "pay", 5, hold.reservation_id);
	shop_hold(&shop, &hold, "lapsed", 5, &lapsed, 1);
	shop_lapse(&shop, hold.reservation_id);
	read_letters(&shop, &letters);
	cr_expect_str_eq(letters.letters, "HHSAAAAAAA");
	cr_expect(letters.lapses && letters.lapse_in_ms > 0, "the first one's is to come");
	store_seat_letters_free(&letters);
	shop_expect(&left.op, &answer);
	store_availability(shop.pg, &left);
	shop_await(&shop, &answer);
	cr_expect(available[0] == 7 && sold[0] == 1);
	cr_expect(available[1] == 0 && sold[1] == 0);
	cr_expect(available[2] == SHOP_SEATS && sold[2] == 0);
	letters.performance_id = 99;
	read_letters(&shop, &letters);
	read_list(&shop, &list);
	cr_expect_not(letters.found);
	cr_expect_not(list.found);
	store_reply_free(&hold.reply);
	store_reply_free(&pay.reply);
	shop_close(&shop);
}

Test(store_catalog, a_line_s_settings_change_one_by_one)
{
	struct shop shop;
	struct shop_answer answer;
	struct store_changes changes;
	struct store_queue_update update = {.admin_id = SHOP_OPERATOR,
		.event_id = 1,
		.set_paused = true,
		.set_capacity = true,
		.set_message = true,
		.event = {.queue_paused = true,
			.capacity = 7,
			.admit_per_second = 12345,
			.message = "wait"}};

	shop_open(&shop, 1, 1);
	read_changes(&shop, &changes, 0, 0);
	struct store_event before = changes.events[0];
	store_changes_free(&changes);
	shop_expect(&update.op, &answer);
	store_queue_update(shop.pg, &update);
	shop_await(&shop, &answer);
	cr_assert(update.found);
	cr_expect(update.event.queue_paused && update.event.capacity == 7);
	cr_expect_str_eq(update.event.message, "wait");
	cr_expect_str_eq(update.event.title, before.title);
	cr_expect_eq(update.event.admit_per_second, before.admit_per_second);
	cr_expect_gt(update.event.revision, before.revision);
	read_changes(&shop, &changes, before.revision, 0);
	cr_assert_eq(changes.event_count, 1);
	cr_expect_eq(changes.events[0].revision, update.event.revision);
	store_changes_free(&changes);
	cr_expect_eq(
		shop_number(&shop,
			"SELECT count(*) FROM admin_audit WHERE action = 'queue.update' AND detail ="
			" '{\"paused\": true, \"capacity\": 7, \"message\": \"wait\"}'"),
		1);
	update.event_id = 99;
	shop_expect(&update.op, &answer);
	store_queue_update(shop.pg, &update);
	shop_await(&shop, &answer);
	cr_expect_not(update.found);
	shop_close(&shop);
}

Test(store_catalog, an_epoch_is_given_once_and_revises_nothing)
{
	struct shop shop;
	struct store_epoch epochs[8] = {0};
	struct shop_answer answers[8];
	unsigned seen = 0;

	shop_open(&shop, 2, 2);
	int64_t revision = shop_number(&shop, "SELECT revision FROM events");
	for (int i = 0; i < 8; i++) {
		epochs[i].event_id = 1;
		shop_expect(&epochs[i].op, &answers[i]);
		store_epoch(shop.instances[i % 2], &epochs[i]);
	}
	for (int i = 0; i < 8; i++) {
		shop_await(&shop, &answers[i]);
		cr_assert(epochs[i].found && epochs[i].epoch >= 1 && epochs[i].epoch <= 8);
		seen |= 1U << epochs[i].epoch;
	}
	cr_expect_eq(seen, 0x1fe);
	cr_expect_eq(shop_number(&shop, "SELECT revision FROM events"), revision);
	epochs[0].event_id = 99;
	shop_expect(&epochs[0].op, &answers[0]);
	store_epoch(shop.pg, &epochs[0]);
	shop_await(&shop, &answers[0]);
	cr_expect_not(epochs[0].found);
	shop_close(&shop);
}

/* A reader that asks for what lies above the highest revision it has seen must not miss one that was taken
 * before and commits after. */
Test(store_catalog, no_revision_becomes_visible_after_a_higher_one)
{
	struct shop shop;
	struct shop_answer answer;
	struct store_queue_update update = {.admin_id = SHOP_OPERATOR,
		.event_id = 1,
		.set_paused = true,
		.event = {.queue_paused = true}};

	shop_open(&shop, 1, 2);
	database_run(shop.db, "BEGIN; INSERT INTO events (title, venue) VALUES ('slow', '')");
	int64_t slow = shop_number(&shop, "SELECT revision FROM events WHERE title = 'slow'");
	shop_expect(&update.op, &answer);
	store_queue_update(shop.pg, &update);
	SHOP_UNTIL(&shop, shop_blocked(&shop) == 1);
	cr_expect_not(answer.given);
	database_run(shop.db, "COMMIT");
	shop_await(&shop, &answer);
	cr_expect_gt(update.event.revision, slow);
	shop_close(&shop);
}
