"""Logging people in by a browser: Authorization Code with PKCE, on mozilla-django-oidc."""
