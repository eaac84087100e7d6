"""Schemas: what answers look like, as JSON Schema in the terms of OpenAPI 3.1."""

from __future__ import annotations

from typing import Any, Final

from trackable.periods import PERIODS

Schema = dict[str, Any]


def record(**members: Schema) -> Schema:
    """Return the schema of an object that has exactly these members."""
    return {
        "type": "object",
        "properties": members,
        "required": list(members),
        "additionalProperties": False,
    }


def ref(name: str) -> Schema:
    """Return a reference to one of ``COMPONENTS``."""
    return {"$ref": f"#/components/schemas/{name}"}


def list_of(item: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": item}


def or_null(schema: Schema) -> Schema:
    """Return the schema of what may be null too."""
    return {"anyOf": [schema, {"type": "null"}]}


STRING: Final[Schema] = {"type": "string"}
INTEGER: Final[Schema] = {"type": "integer"}
BOOLEAN: Final[Schema] = {"type": "boolean"}
PERIOD: Final[Schema] = {"type": "string", "enum": list(PERIODS)}
URL: Final[Schema] = {"type": "string", "format": "uri-reference"}
TIME: Final[Schema] = {
    "anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}],
    "description": "A day, or a moment with its offset from UTC.",
}
VALUE: Final[Schema] = {
    "anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}],
    "description": "A number; of a decimal counter, text, so that nobody rounds it.",
}

HEAD: Final[dict[str, Schema]] = {
    "data_class": STRING,
    "field": STRING,
    "model": or_null(STRING),
    "is_estimate": {**BOOLEAN, "description": "Whether it is a distinct count."},
    "start": or_null(TIME),
    "end": or_null(TIME),
}
PAGE: Final[dict[str, Schema]] = {
    "page": INTEGER,
    "limit": INTEGER,
    "next": or_null(URL),
    "previous": or_null(URL),
}

COMPONENTS: Final[dict[str, Schema]] = {
    "Problem": {
        "type": "object",
        "description": "RFC 9457",
        "properties": {
            "title": STRING,
            "status": INTEGER,
            "detail": {**STRING, "description": "What is wrong, and what to do about it."},
            "parameter": {**STRING, "description": "The name of the parameter that is wrong."},
        },
        "required": ["title", "status", "detail"],
        "additionalProperties": False,
    },
    "Object": record(model=STRING, id={**STRING, "description": "The primary key."}, text=STRING),
    "Field": record(
        name=STRING,
        kind={"type": "string", "enum": ["integer", "decimal", "float", "unique"]},
        series=or_null(URL),
        total=or_null(URL),
        top=or_null(URL),
    ),
    "DataClass": record(
        data_class=STRING,
        period=or_null(PERIOD),
        models=list_of(STRING),
        fields=list_of(ref("Field")),
    ),
    "Point": record(start=TIME, end=TIME, value=VALUE),
    "Index": record(results=list_of(ref("DataClass")), **PAGE),
    "Series": record(
        **HEAD,
        object=or_null(ref("Object")),
        by=PERIOD,
        zone={**STRING, "description": "The time zone of the days."},
        points=list_of(ref("Point")),
    ),
    "Total": record(
        **HEAD,
        results=list_of(record(object=or_null(ref("Object")), value=VALUE)),
        missing=list_of({**STRING, "description": "A key that no object has."}),
    ),
    "Top": record(
        **HEAD,
        results=list_of(record(rank=INTEGER, object=ref("Object"), value=VALUE)),
        **PAGE,
    ),
}
