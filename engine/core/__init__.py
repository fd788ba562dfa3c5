"""What everything stands on: errors, ids, settings, transactions, pages, connections."""
