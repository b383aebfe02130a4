"""PS3.4: service classes of DIMSE, black-box."""
