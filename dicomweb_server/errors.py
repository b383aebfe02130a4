"""What can go wrong, in the field's words; knows no HTTP and no DIMSE (each protocol maps `Reason` to its codes)."""

from enum import Enum


class Reason(Enum):
    """Why a request, or one instance of it, could not be served. Every protocol owns one total table of these."""

    # the data
    NOT_DICOM = "not a DICOM Part 10 file"
    CANNOT_UNDERSTAND = "the data set cannot be understood"
    MISSING_UID = "a required UID is missing or ill-formed"
    WRONG_STUDY = "the instance belongs to another study"
    MISMATCHED_IDENTITY = "the identifiers of the request and of the data set differ"
    UNSUPPORTED_SOP_CLASS = "the SOP class is not supported"
    UNSUPPORTED_TRANSFER_SYNTAX = "the transfer syntax is not supported"
    DUPLICATE_REFUSED = "another instance with this UID is already stored"
    MISSING_BULK_DATA = "the bulk data that the metadata refers to was not sent"
    # the request
    BAD_REQUEST = "the request is malformed"
    UNSUPPORTED_MEDIA_TYPE = "the media type of the request is not supported"
    NOT_ACCEPTABLE = "no acceptable representation can be made"
    RANGE_NOT_SATISFIABLE = "the byte range is outside of the resource"
    NOT_FOUND = "there is no such resource"
    GONE = "the resource was deleted"
    FORBIDDEN = "this may not be changed"
    CONFLICT = "the resource was changed by someone else meanwhile"
    METHOD_NOT_ALLOWED = "the method is not offered by this resource"
    TOO_LARGE = "a limit of this server is exceeded"
    TIMEOUT = "the request took too long to arrive"
    CANCELED = "the job was canceled"
    # the server
    NOT_OFFERED = "this server does not offer that"
    PEER_FAILED = "another system could not be reached, or failed"
    OUT_OF_RESOURCES = "the server is out of storage"
    BUSY = "the server is too busy"
    STORAGE_DAMAGED = "stored bytes are missing or damaged"
    INTERNAL = "the server failed"


class ServerError(Exception):
    """A request that cannot be served. `detail`: what was wrong, where, and what was expected; never patient data."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(detail or reason.value)
        self.reason = reason
        self.detail = detail or reason.value


class StartError(Exception):
    """The server cannot start; the text says why and what to do about it."""
