"""PS3.18: the DICOMweb services."""
