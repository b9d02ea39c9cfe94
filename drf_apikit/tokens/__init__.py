"""First-party tokens: an app of its own, `drf_apikit.tokens` in `INSTALLED_APPS`.

A project without a provider gives out access tokens (RFC 9068) and refresh tokens
itself, with the names that djangorestframework-simplejwt has: `tokens`, `serializers`
and `views` are modules here as they are there. What only reads tokens needs none of
this, nor its tables.
"""

__all__: list[str] = []
