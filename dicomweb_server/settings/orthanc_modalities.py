"""The option `DicomModalities` of an Orthanc configuration: nodes, and what each may do."""

from collections.abc import Mapping

from dicomweb_server.settings.failure import SettingsError
from dicomweb_server.settings.orthanc_flag import flag

_OPERATION_FLAGS = {
    "AllowEcho": "echo",
    "AllowStore": "store",
    "AllowFind": "find",
    "AllowGet": "get",
    "AllowMove": "move",
    "AllowFindWorklist": "worklist",
    "AllowStorageCommitment": "commitment",
}
_MODALITY_NAMES = {
    "AET": "ae_title",
    "Host": "host",
    "Port": "port",
    "Manufacturer": "manufacturer",
    "UseDicomTls": "tls",
    "LocalAet": "local_ae_title",
    "Timeout": "timeout",
    "AllowTranscoding": "transcoding",
}


def modalities(name: str, raw: object) -> dict[str, object]:
    """Our table of modalities."""
    if not isinstance(raw, Mapping):
        raise SettingsError(f"{name} is not allowed; allowed is an object")
    return {key: _modality(f"{name}.{key}", value) for key, value in raw.items()}


def _modality(name: str, raw: object) -> dict[str, object]:
    if isinstance(raw, list) and len(raw) in (3, 4):
        return {"ae_title": raw[0], "host": raw[1], "port": raw[2]} | ({"manufacturer": raw[3]} if raw[3:] else {})
    if isinstance(raw, Mapping) and {"AET", "Host", "Port"} <= set(raw):
        allow = [word for option, word in _OPERATION_FLAGS.items() if flag(f"{name}.{option}", raw.get(option, True))]
        if "worklist" in allow:  # whose order it is may tell what became of it
            allow.append("mpps")
        allow += ["availability"] if "store" in allow else []
        found = {ours: raw[theirs] for theirs, ours in _MODALITY_NAMES.items() if theirs in raw}
        return found | {"allow": allow}
    raise SettingsError(f'{name} is not allowed; allowed is ["AET", "host", port] or an object with AET, Host and Port')
