"""What a caller is told when there is no token."""

import requests

__all__ = ["TokenUnavailableError"]


class TokenUnavailableError(requests.RequestException):
    """There is no token, so nothing was sent.

    Whoever looks after errors of requests has looked after this one. `reason` is for
    logs, and holds no secret; `retry_after` is in seconds.
    """

    def __init__(self, reason: str, retry_after: int = 1) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
