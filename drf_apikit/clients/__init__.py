"""Tokens for calls to other services (RFC 6749 section 4.4)."""
