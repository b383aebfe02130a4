"""Does a data set match a Query (PS3.4 C.2.2.2)? The rule that the index's SQL must agree with; does no I/O."""

from dicomweb_server.dicom.folding import fold

__all__ = ["fold"]
