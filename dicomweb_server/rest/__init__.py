"""Orthanc-style resources at the root of the server, for those who come from Orthanc with their scripts."""
