SELECT double_sold, negative_balances, ledger_imbalance, orphan_holds, unpublished_events, checked_at FROM audit()
