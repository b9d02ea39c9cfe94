"""Mutation testing of the grammar: `python -m tests.mutation`."""
