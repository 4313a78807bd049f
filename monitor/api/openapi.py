"""The OpenAPI document of the JSON API, made from `endpoints`."""

import functools
from typing import Any

import msgspec

from monitor.api.endpoints import PREFIX, Endpoint, endpoints


class Problem(msgspec.Struct, frozen=True):
    """What is wrong, and the way out."""

    error: str
    hint: str = ""


@functools.cache
def document() -> dict[str, Any]:
    """The whole document, version 3.1."""
    known = endpoints()
    results = [one.result for one in known.values()]
    schemas, components = msgspec.json.schema_components(
        [*results, Problem], ref_template="#/components/schemas/{name}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Driftline",
            "version": "1",
            "description": "What Driftline has found. Times are milliseconds since 1970 in UTC; what is not known is "
            "null.",
        },
        "servers": [{"url": PREFIX}],
        "security": [{}, {"token": []}],
        "paths": {
            one.path: {"get": _operation(one, schema, schemas[-1])}
            for one, schema in zip(known.values(), schemas, strict=False)
        },
        "components": {"schemas": components, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(one: Endpoint, result: dict[str, Any], problem: dict[str, Any]) -> dict[str, Any]:
    def answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
        return {"description": description, "content": {"application/json": {"schema": schema}}}

    return {
        "operationId": one.path.strip("/"),
        "summary": one.summary,
        "parameters": list(_parameters(one)),
        "responses": {
            "200": answer("What was asked for.", result),
            "400": answer("A parameter is wrong, missing or unknown.", problem),
            "401": answer("The token is missing or wrong.", problem),
            "403": answer("Asked by a name that is not this machine's.", problem),
            "404": answer("There is no such thing.", problem),
            "503": answer("The database is out of reach; ask again.", problem),
        },
    }


def _parameters(one: Endpoint) -> list[dict[str, Any]]:
    (_, components) = msgspec.json.schema_components([one.parameters], ref_template="{name}")
    own = components[one.parameters.__name__]
    required = set(own.get("required", ()))
    return [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in own["properties"].items()
    ]
