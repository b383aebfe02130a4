"""THE table of the REST interface: routing, OpenAPI and documents are made of it; each module brings its rows."""

from dicomweb_server.rest import (
    archives,
    attachments,
    deletion,
    dicomweb_servers,
    files,
    find,
    jobs,
    metadata,
    modification,
    other_servers,
    pixels,
    resources,
    statistics,
    study_moves,
    system,
    tags,
    upload,
    worklists,
)
from dicomweb_server.rest.table import Table

OPERATIONS: Table = (
    *system.OPERATIONS,
    *resources.OPERATIONS,
    *upload.OPERATIONS,
    *files.OPERATIONS,
    *pixels.OPERATIONS,
    *tags.OPERATIONS,
    *find.OPERATIONS,
    *deletion.OPERATIONS,
    *archives.OPERATIONS,
    *metadata.OPERATIONS,
    *attachments.OPERATIONS,
    *statistics.OPERATIONS,
    *modification.OPERATIONS,
    *study_moves.OPERATIONS,
    *jobs.OPERATIONS,
    *worklists.OPERATIONS,
    *other_servers.OPERATIONS,
)

# Orthanc's DICOMweb plugin has its client's routes below the root of the service: /dicom-web/servers.
BELOW_DICOMWEB: Table = (*dicomweb_servers.OPERATIONS,)

ROOTS = frozenset(operation.path.split("/")[1] for operation in OPERATIONS)
"""The first segments of all paths at the root of the server."""
