"""DICOMweb (PS3.18): one file per service; `resources` is the table of them all."""
