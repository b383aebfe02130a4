"""Where settings come from: flags, then the environment, then a file (TOML, or an Orthanc configuration)."""

import difflib
import ipaddress
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dicomweb_server.settings import orthanc
from dicomweb_server.settings.failure import SettingsError
from dicomweb_server.settings.option import Option
from dicomweb_server.settings.options import OPTIONS, Settings

PREFIX = "DICOMWEB_SERVER_"
CONFIG_VARIABLE = PREFIX + "CONFIG"
_MAX_FILE = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, and what the operator should be told about where they came from."""

    settings: Settings
    warnings: tuple[str, ...] = ()


def load(
    flags: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    config: Path | None = None,
    *,
    serving: bool = True,
) -> Loaded:
    """Read all sources and refuse what is wrong; for `serving` also what would not be safe."""
    environment = environment or {}
    warnings: list[str] = []
    values: dict[str, Any] = {}
    if config is None and environment.get(CONFIG_VARIABLE):
        config = Path(environment[CONFIG_VARIABLE])
    if config is not None:
        values |= _from_file(config.expanduser(), environment, warnings)
    values |= _from_environment(environment, warnings)
    for name, raw in (flags or {}).items():
        option = OPTIONS[name]
        values[name] = read_option(option, raw, option.flag)
    settings = Settings(**values)
    _refuse_contradictions(settings)
    if serving:
        _refuse_exposed(settings)
    return Loaded(settings, tuple(warnings))


def read_option(option: Option, raw: object, source: str) -> object:
    """One value from one source, or a SettingsError that names option, value, source and what is allowed."""
    try:
        return option.kind.read(raw)
    except (ValueError, OverflowError) as error:
        shown = f" ({error})" if option.secret else f" = {str(raw)[:200]!r}"
        message = f"{option.name}{shown} from {source} is not allowed; allowed is {option.kind.allowed}"
        raise SettingsError(message) from None


def _from_environment(environment: Mapping[str, str], warnings: list[str]) -> dict[str, object]:
    by_variable = {option.variable: option for option in OPTIONS.values()}
    values = {}
    for variable, raw in environment.items():
        if variable in by_variable:
            option = by_variable[variable]
            values[option.name] = read_option(option, raw, f"the variable {variable}")
        elif variable.startswith(PREFIX) and variable != CONFIG_VARIABLE and not _set_by_kubernetes(variable):
            # Only a warning: orchestrators add variables of their own that start with a service's name.
            warnings.append(f"The variable {variable} is no option{_near(variable, by_variable)}.")
    return values


def _set_by_kubernetes(variable: str) -> bool:
    rest = variable.removeprefix(PREFIX)
    return rest.startswith(("SERVICE_", "PORT"))


def _from_file(path: Path, environment: Mapping[str, str], warnings: list[str]) -> dict[str, object]:
    if path.is_dir() or path.suffix.lower() == ".json":
        translated = orthanc.translate(path, environment)
        warnings.extend(translated.warnings)
        found: dict[str, Any] = {
            name: read_option(OPTIONS[name], raw, f"{source} in {path}")
            for name, (raw, source) in translated.values.items()
        }
    else:
        found = {name: read_option(_known(name, path), raw, str(path)) for name, raw in _toml(path).items()}
    for name, value in found.items():
        if isinstance(value, Path):  # relative to the file, so that it works from every folder
            found[name] = (path if path.is_dir() else path.parent) / value
    return found


def _toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.loads(file.read(_MAX_FILE).decode("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"The configuration {path} cannot be read: {error}") from None


def _known(name: str, path: Path) -> Option:
    option = OPTIONS.get(name)
    if option is None:
        raise SettingsError(f"{name} in {path} is no option{_near(name, OPTIONS)}")
    return option


def _near(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _refuse_exposed(settings: Settings) -> None:
    """A server that others can reach has users, or was told explicitly that it needs none (PS3.15 expects control)."""
    exposed = [host for host in settings.host if not is_loopback(host)]
    if settings.http and exposed and not (_knows_users(settings) or settings.insecure_anonymous):
        raise SettingsError(
            f"host = {', '.join(exposed)} can be reached from other machines, but there are no users. Allowed is: "
            "users or token_keys (see docs: Settings), a host of this machine only such as 127.0.0.1, "
            "or insecure_anonymous = true if everyone who can reach this server may read and delete everything"
        )


def _refuse_contradictions(settings: Settings) -> None:
    if settings.extra_attributes:
        from dicomweb_server.settings.extra_attributes import extra_attributes  # needs the dictionary: slow to load

        extra_attributes(settings.extra_attributes)
    if settings.dimse_tls_port is not None and not settings.dimse_tls_certificate:
        raise SettingsError("dimse_tls_port is given without dimse_tls_certificate; allowed is both")
    _refuse_entities(settings)
    if settings.find_elsewhere and not settings.fallback_archive:
        raise SettingsError("find_elsewhere is true without fallback_archive; allowed is both")
    if settings.dimse_require_user and not _knows_users(settings):
        raise SettingsError("dimse_require_user is true without users; allowed is both, or token_keys")
    if settings.token_keys and not (settings.token_issuer and settings.token_audience):
        raise SettingsError("token_keys is given without token_issuer or token_audience; allowed is all three")
    if settings.tls_key and not settings.tls_certificate:
        raise SettingsError("tls_key is given without tls_certificate; allowed is both, or the certificate alone")
    if settings.tls_client_ca and not settings.tls_certificate:
        raise SettingsError("tls_client_ca is given without tls_certificate; client certificates need HTTPS")
    if not settings.http and not settings.dimse:
        raise SettingsError("http and dimse are both false; allowed is at least one of them")


def _refuse_entities(settings: Settings) -> None:
    for name, entity in settings.application_entities.items():
        if entity.tls and settings.dimse_tls_port is None:
            raise SettingsError(f"application_entities.{name} has tls without dimse_tls_port; allowed is both")
        if entity.port and entity.port in (settings.dimse_port, settings.dimse_tls_port):
            raise SettingsError(f"application_entities.{name} has a port of the server's; allowed is another, or none")


def _knows_users(settings: Settings) -> bool:
    return bool(settings.users or settings.token_keys)


def is_loopback(host: str) -> bool:
    """Can this address be reached from this machine only? A name other than localhost is taken as reachable."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
