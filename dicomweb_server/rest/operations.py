"""THE table of the REST interface: routing, OpenAPI and documents are made of it; each module brings its rows."""

from dicomweb_server.rest import (
    archives,
    associations,
    attachments,
    changes,
    creation,
    deletion,
    dicomweb_servers,
    files,
    find,
    jobs,
    log_levels,
    metadata,
    modification,
    other_servers,
    pixels,
    plugins,
    reconstruct,
    resources,
    statistics,
    study_moves,
    system,
    tags,
    tools,
    upload,
    worklists,
)
from dicomweb_server.rest.folders import folder
from dicomweb_server.rest.table import Table

_RESOURCES: Table = (
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
    *reconstruct.OPERATIONS,
    *modification.OPERATIONS,
    *study_moves.OPERATIONS,
    *creation.OPERATIONS,
    *jobs.OPERATIONS,
    *changes.OPERATIONS,
    *tools.OPERATIONS,
    *log_levels.OPERATIONS,
    *plugins.OPERATIONS,
    *worklists.OPERATIONS,
    *associations.OPERATIONS,
    *other_servers.OPERATIONS,
)

OPERATIONS: Table = (*_RESOURCES, folder("/tools", _RESOURCES))

# Orthanc's DICOMweb plugin has its client's routes below the root of the service: /dicom-web/servers.
BELOW_DICOMWEB: Table = (*dicomweb_servers.OPERATIONS,)

ROOTS = frozenset(operation.path.split("/")[1] for operation in OPERATIONS)
"""The first segments of all paths at the root of the server."""
