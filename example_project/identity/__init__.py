"""A development OpenID provider for the example: never a production one.

It exists so that the example's API can be tried with real tokens on one machine.
It is a process of its own (`DJANGO_SETTINGS_MODULE=identity.settings`,
`identity.wsgi`), built on django-oauth-toolkit. In production the API's one issuer
setting points at a real provider instead, and this package is not deployed.
"""
