from drf_apikit.pagination.envelope import envelope_schema


def test_every_member_is_required_and_typed() -> None:
    rows = {"type": "array", "items": {"type": "integer"}}
    schema = envelope_schema(rows)
    assert schema["type"] == "object"
    assert schema["required"] == list(schema["properties"])
    assert schema["properties"]["results"] == rows
    assert schema["properties"]["count"] == {"type": "integer", "minimum": 0}
    for name in ("next", "previous"):
        link = schema["properties"][name]
        assert link == {"type": "string", "format": "uri", "nullable": True}
