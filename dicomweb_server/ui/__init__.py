"""A small explorer in the browser, on the public DICOMweb services only."""
