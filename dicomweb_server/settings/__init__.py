"""The configuration: read once at start, seen only by cli, app and bootstrap; everything else gets small values."""

from dicomweb_server.settings.failure import SettingsError
from dicomweb_server.settings.option import Option
from dicomweb_server.settings.options import OPTIONS, Settings
from dicomweb_server.settings.sources import Loaded, load

__all__ = ["OPTIONS", "Loaded", "Option", "Settings", "SettingsError", "load"]
