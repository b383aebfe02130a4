"""An option of an Orthanc configuration that is true or false."""

from dicomweb_server.settings.failure import SettingsError


def flag(name: str, raw: object) -> bool:
    """The value, which must not be anything else."""
    if not isinstance(raw, bool):
        raise SettingsError(f"{name} = {raw!r} is not allowed; allowed is true or false")
    return raw
