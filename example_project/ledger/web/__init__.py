"""The web page of the ledger, for people who are logged in."""
