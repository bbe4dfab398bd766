SELECT ledger_page($1, $2, $3)
