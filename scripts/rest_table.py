"""The table of routes in docs/rest.md, made of the table that the server routes by."""

from collections.abc import Iterator

from dicomweb_server.rest.operations import BELOW_DICOMWEB, OPERATIONS
from dicomweb_server.rest.table import Row


def rest_table() -> str:
    """All routes by their first segment."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    groups: dict[str, list[tuple[str, Row]]] = {}
    for root, table in (("", OPERATIONS), ("/dicom-web", BELOW_DICOMWEB)):
        for operation in table:
            groups.setdefault(operation.description.tag, []).append((root, operation))
    for tag, rows in sorted(groups.items()):
        yield f"### {tag}\n"
        yield "| method | route | what it does | parameters |"
        yield "| --- | --- | --- | --- |"
        yield from (_line(root, operation) for root, operation in rows)
        yield ""


def _line(root: str, operation: Row) -> str:
    said = operation.description
    parameters = ", ".join(f"`{one.name}`" for one in said.parameters) or "-"
    path = (root + operation.path).replace(":path", "")
    return f"| {operation.method} | `{path}` | {said.summary} | {parameters} |"
