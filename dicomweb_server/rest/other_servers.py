"""The operations about other servers, as one table."""

from dicomweb_server.rest import (
    commitments,
    exports,
    modalities,
    modality_queries,
    modality_transfers,
    modality_workitems,
    peers,
    queries,
)
from dicomweb_server.rest.table import Table

OPERATIONS: Table = (
    *modalities.OPERATIONS,
    *modality_queries.OPERATIONS,
    *modality_transfers.OPERATIONS,
    *modality_workitems.OPERATIONS,
    *queries.OPERATIONS,
    *peers.OPERATIONS,
    *commitments.OPERATIONS,
    *exports.OPERATIONS,
)
