"""The ledger, whose workers kill themselves at the step that a request names.

Nothing in the package knows of it: the steps are told by their SQL. It is a backend
of Django's (`base`) under the application (`wsgi`).
"""
