"""The mobile app's part of the talk: a client of the ledger without Django."""

__all__ = ["CLIENT_ID"]

CLIENT_ID = "ledger-mobile"
