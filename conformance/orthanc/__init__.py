"""The same requests to Debian's Orthanc and to our server; answers are compared but for listed differences."""
