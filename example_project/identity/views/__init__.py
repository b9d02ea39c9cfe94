"""The provider's pages and endpoints."""
