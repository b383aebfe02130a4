"""Names of Orthanc's options that we do not translate: those whose wish is met anyway, and those met by one value."""

MET: dict[str, str] = {
    "CaseSensitivePN": "names always match without regard to case, as PS3.4 lets a server decide",
    "DatabaseServerIdentifier": "one index belongs to one server",
    "DicomParserThreadsCount": "threads follow the number of processors",
    "DicomThreadsCount": "associations need no threads; see max_associations",
    "HttpThreadsCount": "requests need no threads; see max_connections",
    "JobsEngineThreadsCount": "jobs need no threads; see concurrent_jobs",
    "MallocArenaMax": "set where it helps",
    "MediaArchiveSize": "archives of jobs are made while they are fetched and take no room",
    "Plugins": "DICOMweb is built in",
    "StorageAccessOnFind": "a search never opens files",
    "StorageLoaderThreadsCount": "threads follow the number of processors",
    "StoreDicom": "files are always stored",
    "StoreMD5ForAttachments": "a SHA-256 digest of every instance is kept",
    "SynchronousZipStream": "archives are always streamed",
    "TcpNoDelay": "always on",
    "ZipUseUtf8": "names in archives are always readable ones",
}

# An option that we do not have, but whose wish is met when it has this value.
MET_WHEN: dict[str, object] = {
    "ExecuteLuaEnabled": False,
    "HttpVerbose": False,
    "LuaScripts": [],
    "MaximumPatientCount": 0,
    "MaximumStorageSize": 0,
    "PatientLevelEnabled": True,
    "Pkcs11": {},
    "ReadOnly": False,
    "RestApiWriteToFileSystemEnabled": False,
    "SslVerifyPeers": False,
    "StorageCompression": False,
    "TranscodeDicomProtocol": True,
    "WebDavEnabled": False,
}
