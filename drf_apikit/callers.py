"""Who is calling, told the same way by every block that keeps something for them."""

from typing import Any

from rest_framework.request import Request

__all__ = ["principal_of"]


def principal_of(request: Request) -> tuple[str, ...] | None:
    """Tell who asks: a user of this project, or the client of a token; else None.

    A principal that is no row may say itself who it is, in `drf_apikit_caller`.
    """
    user, auth = request.user, request.auth
    told: tuple[str, ...] | None = getattr(user, "drf_apikit_caller", None)
    if told is not None:
        return told
    if getattr(user, "pk", None) is not None:
        return ("user", _kind(user), str(user.pk))
    issuer, client = getattr(auth, "issuer", None), getattr(auth, "client_id", None)
    if issuer is not None and client is not None:
        return ("client", str(issuer), str(client))
    return None


def _kind(user: Any) -> str:
    """Name the model, also of a proxy of it, or else the class, also of a lazy one."""
    meta = getattr(user, "_meta", None)
    model = getattr(meta, "concrete_model", None)
    return str((meta or user.__class__) if model is None else model._meta)
