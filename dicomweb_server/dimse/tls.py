"""TLS contexts for DICOM by BCP 195 (PS3.15 §B.12): TLS 1.2 and 1.3, forward secrecy, authenticated encryption."""

import ssl

from dicomweb_server.certificates import RenewedContext, checking_context
from dicomweb_server.dimse.options import TlsClientOptions, TlsOptions

# Of TLS 1.2; those of 1.3 are all good (RFC 9325 §4.2).
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:!aNULL:!SHA1"


def server_context(options: TlsOptions) -> ssl.SSLContext:
    """For a listener, renewed with its files; OSError or ssl.SSLError if they cannot be used."""
    files = (options.certificate, options.key, options.client_ca)
    return RenewedContext(lambda: _server_context(options), files)


def _server_context(options: TlsOptions) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _restrict(context)
    context.load_cert_chain(options.certificate, options.key)
    if options.client_ca is not None:
        context.load_verify_locations(options.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED if options.client_required else ssl.CERT_OPTIONAL
    return context


def client_context(options: TlsClientOptions) -> ssl.SSLContext:
    """For associations that we request: the peer's certificate is always checked."""
    context = checking_context(ssl.Purpose.SERVER_AUTH, options.ca)
    context.check_hostname = options.check_host
    _restrict(context)
    if options.certificate is not None:
        context.load_cert_chain(options.certificate, options.key)
    return context


def _restrict(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
