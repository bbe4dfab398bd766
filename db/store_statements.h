/* The statements of all stores, each defined in the store that owns it. */
#ifndef ONSALE_DB_STORE_STATEMENTS_H
#define ONSALE_DB_STORE_STATEMENTS_H

#include "db/pg.h"

/* store_holds.c */
extern const struct pg_statement store_hold_statement, store_hold_optimistic_statement,
	store_hold_quantity_statement, store_hold_quantity_waiting_statement;
/* store_reservations.c */
extern const struct pg_statement store_pay_statement, store_cancel_statement,
	store_reservation_statement, store_reservation_page_statement, store_sweep_statement,
	store_keys_known_statement;
/* store_accounts.c */
extern const struct pg_statement store_charge_statement, store_balance_statement,
	store_login_statement, store_sign_up_statement, store_me_statement, store_ledger_statement,
	store_identify_statement;
/* store_revocations.c */
extern const struct pg_statement store_revoke_statement, store_revoked_statement;
/* store_outbox.c */
extern const struct pg_statement store_outbox_take_statement, store_outbox_mark_statement;
/* store_catalog.c */
extern const struct pg_statement store_changes_statement, store_availability_statement,
	store_seat_list_statement, store_seat_letters_statement, store_event_create_statement,
	store_performance_create_statement, store_queue_update_statement, store_epoch_statement;
/* store_places.c */
extern const struct pg_statement store_places_used_statement;
/* store_shuffles.c */
extern const struct pg_statement store_shuffle_begin_statement, store_shuffle_add_statement,
	store_shuffle_publish_statement, store_shuffle_page_statement,
	store_shuffle_number_statement, store_shuffle_statement;
/* store_operators.c */
extern const struct pg_statement store_stats_statement, store_audit_statement;

#endif
