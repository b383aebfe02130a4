"""Sendable: what can be sent to others by C-STORE."""

from dicomweb_server.ports.index import StoredInstance
from dicomweb_server.ports.non_patient import NonPatientReference
from dicomweb_server.services.frame_extraction import ExtractedInstance

__all__ = ["ExtractedInstance", "NonPatientReference", "Sendable"]

Sendable = StoredInstance | NonPatientReference | ExtractedInstance
