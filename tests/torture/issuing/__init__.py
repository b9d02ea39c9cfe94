"""A small project that gives out first-party tokens, and simplejwt's beside them."""
