"""Browser login: Authorization Code with PKCE, on mozilla-django-oidc."""
