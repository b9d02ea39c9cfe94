"""What a payload is, so that the same key with another payload is seen."""

import hashlib
import json
from decimal import Decimal
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
    make no difference; files are digested in chunks and rewound.
    """
    media_type = str(request.content_type or "").partition(";")[0].strip().lower()
    query = request.META.get("QUERY_STRING", "")
    return digest([media_type, query, _body(request.data)])


class _Encoder(JSONEncoder):
    """Encodes whatever the parsers of DRF and of projects make of a body."""

    def default(self, obj: Any) -> Any:
        match obj:
            case UploadedFile():
                return {"file": _file(obj)}
            case Decimal():
                # DRF would make a float of it, and two amounts the same.
                return str(obj)
            case bytes():
                return {"bytes": hashlib.sha256(obj).hexdigest()}
            case _:
                return super().default(obj)


def _body(data: Any) -> str:
    """Write a form as a list for each name, since a name may come repeatedly."""
    plain = dict(data.lists()) if isinstance(data, QueryDict) else data
    return json.dumps(plain, cls=_Encoder, sort_keys=True)


def _file(upload: "UploadedFile[Any]") -> list[str]:
    sha256 = hashlib.sha256()
    for chunk in upload.chunks():
        sha256.update(chunk)
    upload.seek(0)
    return [str(upload.name), str(upload.content_type), sha256.hexdigest()]
