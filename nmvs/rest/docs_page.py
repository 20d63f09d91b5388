"""An OpenAPI document as one HTML page: no script, nothing loaded from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Any, Final

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  color: #1c2733; background: #fff; }
h1 { font-size: 1.6rem; } h2 { margin-top: 2.2rem; border-bottom: 1px solid #ccd5de; }
h4 { margin: .9rem 0 .2rem; }
code, pre { font-family: ui-monospace, monospace; font-size: .88em; }
details { border: 1px solid #ccd5de; border-radius: 6px; margin: .5rem 0; padding: .4rem .8rem; }
summary { cursor: pointer; } summary code { margin-right: .6rem; overflow-wrap: anywhere; }
.GET { color: #0a6b3d; } .POST { color: #0b54a0; } .PATCH { color: #8a5300; }
.ours { background: #fff2cc; border-radius: 4px; padding: 0 .4rem; font-size: .85rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0;
  border-bottom: 1px solid #e6ebf0; }
@media (prefers-color-scheme: dark) {
  body { color: #dde6ee; background: #12181f; } a { color: #8cc1ff; }
  h2, details, th, td { border-color: #33404d; } .ours { background: #54430a; }
  .GET { color: #5fd39a; } .POST { color: #7db7ff; } .PATCH { color: #f0b75a; }
}
"""
_PAGE: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,"><title>{title}</title><style>{style}</style></head><body>
<h1>{title}</h1><p>{description}</p>
<p>Version {version}. Served under {servers}. As a document for programs:
<a href="openapi.json">openapi.json</a>.</p>
{operations}
<h2>Messages</h2>
{schemas}
</body></html>
"""


def docs_page(document: dict[str, Any]) -> str:
    """Return the page of a document made by `nmvs.rest.openapi`."""
    info = document["info"]
    return _PAGE.format(
        title=escape(info["title"]),
        style=_STYLE,
        description=escape(info["description"]),
        version=escape(info["version"]),
        servers=", ".join(f"<code>{escape(row['url'])}</code>" for row in document["servers"]),
        operations="\n".join(_tag(document, tag["name"]) for tag in document["tags"]),
        schemas="\n".join(
            f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
            f"{_schema(schema)}</details>"
            for name, schema in document["components"]["schemas"].items()
        ),
    )


def _tag(document: dict[str, Any], tag: str) -> str:
    parts = [f"<h2>{escape(tag)}</h2>"]
    for path, methods in document["paths"].items():
        parts += [
            _operation(method.upper(), path, operation)
            for method, operation in methods.items()
            if tag in operation.get("tags", ())
        ]
    return "\n".join(parts)


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    ours = ' <span class="ours">ours</span>' if operation.get("x-ours") else ""
    name = escape(operation["operationId"])
    call = f'<code class="{method}">{method} {escape(path)}</code>'
    told = f"{call}{escape(operation['summary'])}{ours}"
    parts = [f'<details id="{name}"><summary>{told}</summary>']
    if "description" in operation:
        parts.append(f"<p>{escape(operation['description'])}</p>")
    if operation["parameters"]:
        rows = "".join(map(_parameter, operation["parameters"]))
        parts.append(f"<h4>Parameters</h4><table>{rows}</table>")
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(
            f"<h4>Body</h4><p><code>{escape(media_type)}</code> {_type(content['schema'])}</p>"
        )
    rows = "".join(
        f"<tr><td><code>{status}</code></td><td>{escape(response['description'])}</td>"
        f"<td>{_contents(response)}</td></tr>"
        for status, response in operation["responses"].items()
    )
    parts.append(f"<h4>Answers</h4><table>{rows}</table></details>")
    return "".join(parts)


def _parameter(parameter: dict[str, Any]) -> str:
    need = "required" if parameter["required"] else "optional"
    return (
        f"<tr><td><code>{escape(parameter['name'])}</code></td><td>{parameter['in']}, {need}</td>"
        f"<td>{_type(parameter['schema'])}</td><td>{escape(parameter['description'])}</td></tr>"
    )


def _contents(response: dict[str, Any]) -> str:
    contents = response.get("content", {})
    return ", ".join(
        f"<code>{escape(media_type)}</code> {_type(content['schema'])}"
        for media_type, content in contents.items()
    )


def _schema(schema: dict[str, Any]) -> str:
    text = f"<p>{escape(schema['description'])}</p>" if "description" in schema else ""
    if "enum" in schema:
        return text + f"<p>{_type(schema)}</p>"
    required = set(schema.get("required", ()))
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td>"
        f"<td>{'always' if name in required else 'optional'}</td><td>{_type(member)}</td></tr>"
        for name, member in schema.get("properties", {}).items()
    )
    return f"{text}<table>{rows}</table>"


def _type(schema: dict[str, Any]) -> str:
    """Return a type in words, linked to its description if it has a name."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    facts = [schema.get("type", "any")]
    facts += [f"{key} {schema[key]}" for key in ("format", "pattern", "maximum") if key in schema]
    return escape(", ".join(facts))
