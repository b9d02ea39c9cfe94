"""The payments ledger: the API of the example."""
