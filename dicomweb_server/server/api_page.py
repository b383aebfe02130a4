"""An OpenAPI description as one plain HTML page; everything in it is escaped, nothing is fetched from elsewhere."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc } summary { cursor: pointer; padding: .3rem 0 }
code { font: 14px ui-monospace, monospace } .method { display: inline-block; width: 5rem; font-weight: 600 }
table { border-collapse: collapse; margin: .5rem 0 1rem 5rem } td, th { text-align: left; padding: .2rem .8rem .2rem 0;
vertical-align: top } details p { margin: .3rem 0 .3rem 5rem }
@media (prefers-color-scheme: dark) { body { background: #161616; color: #e8e8e8 } a { color: #8ab4f8 } }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_METHODS = ("get", "head", "post", "put", "patch", "delete", "options")


def render(description: Mapping[str, Any], source: str) -> str:
    """The page. `source`: where the description itself is."""
    info = description["info"]
    title = escape(f"{info['title']} {info['version']}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body><h1>{title}</h1>'
        f"<p>{escape(info.get('description', ''))}</p>"
        f'<p>The same for machines: <a href="{escape(source)}">{escape(source)}</a></p>'
        + "".join(_sections(description))
        + "</body></html>"
    )


def _sections(description: Mapping[str, Any]) -> Iterator[str]:
    by_tag: dict[str, list[str]] = {}
    for path, item in description["paths"].items():
        for method in _METHODS:
            if method in item:
                operation = item[method]
                tag = operation.get("tags", ["Other"])[0]
                by_tag.setdefault(tag, []).append(_operation(method, path, operation, item.get("parameters", [])))
    for tag, operations in by_tag.items():
        yield f"<h2>{escape(tag)}</h2>" + "".join(operations)


def _operation(method: str, path: str, operation: Mapping[str, Any], shared: list[Any]) -> str:
    rows = [_parameter(row) for row in [*shared, *operation.get("parameters", [])] if "name" in row]
    answers = [
        f"<tr><td><code>{escape(str(status))}</code></td><td>{escape(answer.get('description', ''))}</td>"
        f"<td><code>{escape(', '.join(answer.get('content', {})))}</code></td></tr>"
        for status, answer in operation.get("responses", {}).items()
    ]
    return (
        f'<details><summary><code><span class="method">{method.upper()}</span>{escape(path)}</code> '
        f"{escape(operation.get('summary', ''))}</summary><p>{escape(operation.get('description', ''))}</p>"
        + _table("Parameter", rows)
        + _table("Answer", answers)
        + "</details>"
    )


def _parameter(row: Mapping[str, Any]) -> str:
    return (
        f"<tr><td><code>{escape(row['name'])}</code></td><td>{escape(row.get('in', ''))}</td>"
        f"<td>{escape(row.get('description', ''))}</td></tr>"
    )


def _table(title: str, rows: list[str]) -> str:
    return f"<table><tr><th colspan=3>{title}</th></tr>{''.join(rows)}</table>" if rows else ""
