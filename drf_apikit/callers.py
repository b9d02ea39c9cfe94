"""Who is calling, told the same way by every block that keeps something for them."""

from rest_framework.request import Request

__all__ = ["principal_of"]


def principal_of(request: Request) -> tuple[str, ...] | None:
    """Tell who asks: a user of this project, or the client of a token; else None."""
    user, auth = request.user, request.auth
    if getattr(user, "pk", None) is not None:
        kind = getattr(user, "_meta", None) or type(user)
        return ("user", str(kind), str(user.pk))
    issuer, client = getattr(auth, "issuer", None), getattr(auth, "client_id", None)
    if issuer is not None and client is not None:
        return ("client", str(issuer), str(client))
    return None
