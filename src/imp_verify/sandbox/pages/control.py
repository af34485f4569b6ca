"""The page that describes the control calls, made of their description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imp_verify.sandbox.pages.markup import Html, html, join, page, table
from imp_verify.sandbox.pages.texts import texts

_HEADS = ["Call", "What it does", "What it takes"]


def control(document: Mapping[str, Any], path: str) -> Html:
    """Show every call of an OpenAPI description that is served at a path."""
    schemas = document["components"]["schemas"]
    rows = [
        _row(f"{method.upper()} {place}", call, schemas)
        for place, calls in document["paths"].items()
        for method, call in calls.items()
    ]
    return page(
        texts("en"),
        document["info"]["title"],
        html(
            """<main class="wide"><header><h1>{title}</h1>
<span class="ways"><a href="{path}">OpenAPI</a><a href="/?lang=en">Payments</a></span></header>
<p class="note">{says}</p>
{rows}</main>""",
            title=document["info"]["title"],
            says=document["info"]["description"],
            path=path,
            rows=table(document["info"]["title"], _HEADS, rows),
        ),
    )


def _row(name: str, call: Mapping[str, Any], schemas: Mapping[str, Any]) -> Html:
    heads = dict(zip(("call_", "says_", "takes_"), _HEADS, strict=True))
    taken = [each["name"] for each in call.get("parameters", ()) if each["in"] == "query"]
    if "requestBody" in call:
        taken += _names(call["requestBody"]["content"]["application/json"]["schema"], schemas)
    return html(
        """<tr><td class="call" data-name="{call_}"><code>{name}</code></td>
<td class="text" data-name="{says_}"><span>{says}</span></td>
<td class="text" data-name="{takes_}"><span>{takes}</span></td></tr>""",
        name=name,
        says=call["summary"],
        takes=join(html("<code>{name}</code> ", name=each) for each in taken),
        **heads,
    )


def _names(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> list[str]:
    one = schema["oneOf"][0] if "oneOf" in schema else schema
    if "$ref" in one:
        one = schemas[one["$ref"].rpartition("/")[2]]
    return list(one["properties"])
