"""A DICOMweb service under test as a client sees it: requests, responses, and the few words of DICOM JSON."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from conformance.multipart import encode

DicomJson = dict[str, Any]
Query = Mapping[str, str] | Iterable[tuple[str, str]]

JSON = "application/dicom+json"
XML = 'multipart/related; type="application/dicom+xml"'
DICOM = 'multipart/related; type="application/dicom"'
STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
OCTETS = 'multipart/related; type="application/octet-stream"'
STORED_OCTETS = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'


def query_string(query: Query) -> str:
    """Percent-encode what RFC 3986 reserves (PS3.18 §8.1.1), a space as %20."""
    pairs = query.items() if isinstance(query, Mapping) else query
    return "&".join(f"{quote(name, safe='.')}={quote(value, safe='*?,')}" for name, value in pairs)


class Service:
    """One DICOMweb root. Sends only the header fields that a test names."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")
        self.http = httpx.Client(timeout=60, trust_env=False)
        for name in ("accept", "accept-encoding", "user-agent"):
            del self.http.headers[name]

    def url(self, path: str, query: Query | None = None) -> str:
        """The URL of a resource below the root."""
        return self.root + path + ("?" + query_string(query) if query else "")

    def send(
        self,
        method: str,
        path: str,
        *,
        accept: str | None = None,
        query: Query | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """One request."""
        fields = dict(headers or {})
        if accept is not None:
            fields["Accept"] = accept
        return self.http.request(method, self.url(path, query), content=content, headers=fields)

    def get(
        self,
        path: str,
        *,
        accept: str | None = None,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """One GET request."""
        return self.send("GET", path, accept=accept, query=query, headers=headers)

    def search(self, path: str, query: Query | None = None) -> list[DicomJson]:
        """The matches of a search that must succeed."""
        response = self.get(path, accept=JSON, query=query)
        if response.status_code == 204:
            return []
        assert response.status_code == 200, f"{response.status_code}: {response.text[:300]}"
        return list(response.json())

    def metadata(self, path: str) -> list[DicomJson]:
        """The metadata of a study, series or instance that must be there."""
        response = self.get(path + "/metadata", accept=JSON)
        assert response.status_code == 200, f"{response.status_code}: {response.text[:300]}"
        return list(response.json())

    def store(self, *instances: bytes, path: str = "/studies", accept: str = JSON) -> httpx.Response:
        """Store Part 10 files in one multipart request."""
        body = encode(("Content-Type: application/dicom", instance) for instance in instances)
        return self.store_body(
            body, 'type="application/dicom"; boundary=conformance-boundary', path=path, accept=accept
        )

    def store_body(self, body: bytes, parameters: str, *, path: str = "/studies", accept: str = JSON) -> httpx.Response:
        """Store a multipart/related body with these media type parameters."""
        return self.send(
            "POST",
            path,
            accept=accept,
            content=body,
            headers={"Content-Type": f"multipart/related; {parameters}".rstrip("; ")},
        )

    def relative(self, url: str) -> str:
        """The path below the root of a URL that the service gave; AssertionError if it leads elsewhere."""
        absolute = str(httpx.URL(self.root + "/").join(url))
        assert absolute.startswith(self.root + "/"), f"{absolute} is not below {self.root}"
        return absolute[len(self.root) :]


def values(dataset: DicomJson, tag: str) -> list[Any]:
    """The `Value` of an attribute, [] if absent or empty."""
    return list(dataset.get(tag, {}).get("Value", []))


def value(dataset: DicomJson, tag: str) -> Any:
    """The first value of an attribute, None if absent or empty."""
    found = values(dataset, tag)
    return found[0] if found else None


def is_problem(response: httpx.Response) -> bool:
    """Is the body a problem document (RFC 9457) of the same status?"""
    if response.headers.get("content-type", "").split(";")[0] != "application/problem+json":
        return False
    body = response.json()
    return bool(body.get("status") == response.status_code and body.get("title") and body.get("detail"))
