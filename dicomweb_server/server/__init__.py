"""The server process: connections with deadlines, logs, metrics, users. Knows nothing about DICOM."""
