"""PURE: the DICOM model. No sockets, files, clocks or awaits."""
