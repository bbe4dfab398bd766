SELECT outbox_mark($1)
