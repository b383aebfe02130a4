"""Orthanc-style resources at the root of the server: what its users and their scripts ask for."""
