/* The flows, one file each; route.c starts them. Each answers its request, now or later. */
#ifndef ONSALE_SERVER_FLOWS_H
#define ONSALE_SERVER_FLOWS_H

struct request;

/* people */
void challenge_start(const struct request *request);
void signup_start(const struct request *request);
void login_start(const struct request *request);
void logout_start(const struct request *request);
void me_start(const struct request *request);
void balance_start(const struct request *request);
void charge_start(const struct request *request);
void ledger_start(const struct request *request);

/* what is on sale */
void events_start(const struct request *request);
void event_start(const struct request *request);
void performances_start(const struct request *request);
void seats_start(const struct request *request);
void seats_status_start(const struct request *request);

/* the waiting line */
void join_start(const struct request *request);
void poll_start(const struct request *request);
void queue_events_start(const struct request *request);
void leave_start(const struct request *request);
void line_status_start(const struct request *request);
void shuffle_start(const struct request *request);
void shuffle_entrants_start(const struct request *request);

/* reservations */
void hold_start(const struct request *request);
void reservations_start(const struct request *request);
void reservation_start(const struct request *request);
void pay_start(const struct request *request);
void cancel_start(const struct request *request);

/* operators */
void admin_event_start(const struct request *request);
void admin_performance_start(const struct request *request);
void admin_queue_start(const struct request *request);
void admin_stats_start(const struct request *request);
void live_start(const struct request *request);
void admin_audit_start(const struct request *request);

/* operations */
void livez_start(const struct request *request);
void readyz_start(const struct request *request);
void metrics_start(const struct request *request);

/* the description of all this */
void openapi_start(const struct request *request);
void docs_start(const struct request *request);
void docs_script_start(const struct request *request);
void docs_style_start(const struct request *request);
void docs_bundle_start(const struct request *request);

#endif
