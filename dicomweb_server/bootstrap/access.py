"""Settings → who is let in, for HTTP and DIMSE alike."""

from dicomweb_server.errors import StartError
from dicomweb_server.server.user_check import Tokens, UserCheck
from dicomweb_server.settings import Settings
from dicomweb_server.settings.passwords import verify_password


def user_check(settings: Settings) -> UserCheck | None:
    """Knows the users; None if nobody has to be one. StartError for keys of tokens that cannot be used."""
    tokens = _tokens(settings)
    return UserCheck(settings.users, verify_password, tokens) if settings.users or tokens else None


def _tokens(settings: Settings) -> Tokens | None:
    if settings.token_keys is None or settings.token_issuer is None or settings.token_audience is None:
        return None
    from dicomweb_server.server.tokens import TokenCheck, TokenRules  # cryptography: slow to load

    rules = TokenRules(settings.token_keys, settings.token_issuer, settings.token_audience, settings.token_user)
    try:
        return TokenCheck(rules)
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else error
        raise StartError(f"Cannot use token_keys = {settings.token_keys}: {problem}") from None
