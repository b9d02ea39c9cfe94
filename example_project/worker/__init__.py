"""A worker: a service that pays by the API, with a token of its own."""
