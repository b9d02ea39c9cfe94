"""Management commands of the provider."""
