"""Options about who is let in by tokens and certificates; a part of the table of options."""

from dataclasses import dataclass
from pathlib import Path

from dicomweb_server.settings.job_options import JobSettings
from dicomweb_server.settings.kinds import Choice, FilePath, Text, Toggle
from dicomweb_server.settings.option import option

_ACCESS = "Access"
_CLAIM = Text("a text without control characters", optional=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSettings(JobSettings):
    """Users themselves are options of their own: see `users`."""

    token_keys: Path | None = option(
        _ACCESS,
        FilePath(optional=True),
        "File of the keys that sign tokens (JWT): a JWK Set, or public keys in PEM; read again when it changes.",
        default=None,
    )
    token_issuer: str | None = option(
        _ACCESS, _CLAIM, "Who must have issued a token: its claim iss, to the letter.", default=None
    )
    token_audience: str | None = option(
        _ACCESS, _CLAIM, "For whom a token must have been issued: one of its claim aud.", default=None
    )
    token_user: str = option(
        _ACCESS, Text("the name of a claim"), "Claim of a token that names the user.", default="sub"
    )
    dimse_tls_client_certificate: str = option(
        "DIMSE",
        Choice(("required", "optional")),
        "With dimse_tls_client_ca: whether nodes must show a certificate of these authorities, or only none of others.",
        default="required",
    )
    dimse_tls_check_host: bool = option(
        "DIMSE",
        Toggle(),
        "Refuse nodes that we call over TLS when their certificate is for another host or address.",
        default=True,
    )
