"""Black-box suites: a DICOMweb server judged over HTTP alone, by section of PS3.18; never imports the server."""
