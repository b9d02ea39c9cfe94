"""What a payload is, so that the same key with another payload is seen."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from rest_framework.request import Request
from rest_framework.utils.encoders import JSONEncoder

from drf_apikit.idempotency.keys import digest

__all__ = ["fingerprint"]


def fingerprint(request: Request) -> str:
    """Digest the media type, query string and parsed body.

    The order of JSON members, white space and the boundary of a multipart body
    make no difference; files are digested in chunks.
    """
    media_type = str(request.content_type or "").partition(";")[0].strip().lower()
    query = request.META.get("QUERY_STRING", "")
    return digest([media_type, query, *_body(request.data)])


def _body(data: Any) -> Iterator[str]:
    if not isinstance(data, QueryDict):
        yield json.dumps(data, cls=JSONEncoder, sort_keys=True)
        return
    for name in sorted(data):
        for value in data.getlist(name):
            yield name
            yield from _file(value) if isinstance(value, UploadedFile) else (value,)


def _file(upload: "UploadedFile[Any]") -> Iterator[str]:
    sha256 = hashlib.sha256()
    for chunk in upload.chunks():
        sha256.update(chunk)
    upload.seek(0)
    yield from (str(upload.name), str(upload.content_type), sha256.hexdigest())
