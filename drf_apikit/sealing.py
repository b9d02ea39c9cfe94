"""Texts at rest that nobody else can read."""
