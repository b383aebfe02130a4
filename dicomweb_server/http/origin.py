"""Where what a request brings comes from."""

from starlette.requests import Request

from dicomweb_server.dicom.origin import Origin


def origin_of(request: Request, protocol: str) -> Origin:
    """Who sends the request, and by which protocol."""
    client = request.scope.get("client")
    user = request.scope.get("user")
    return Origin(protocol, address=client[0] if client else "", user=user if isinstance(user, str) else "")
