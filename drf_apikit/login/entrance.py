"""What the views of the login have in common."""

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db import connections, transaction
from django.views.generic import View

__all__ = ["Entrance"]


class Entrance(View):
    """A view for people who are not logged in yet, that waits for the provider.

    Django's `LoginRequiredMiddleware` would send them back to it for ever. And no
    transaction of `ATOMIC_REQUESTS` should wait with it, whatever database it is of.
    """

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Give the view, so marked, as it is of a subclass too."""
        view = login_not_required(super().as_view(**initkwargs))
        for alias in connections:
            view = transaction.non_atomic_requests(alias)(view)
        return view
