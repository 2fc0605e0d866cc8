"""An authority of the federation's own, and the exchange's certificate by it (RFC 5280).

Both keys are ECDSA on P-256, which every TLS library of the last ten years knows. The authority's certificate
may sign servers only, and no further authority (`pathlen:0`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wardround.errors import ConfigurationError

# Clocks of hospitals differ: a certificate is good from a while before it was made.
_BEFORE = timedelta(hours=1)
_COMMON_NAME_LENGTH = 64  # RFC 5280 appendix A.1, ub-common-name


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, both PEM; the key is PKCS #8 without a passphrase."""

    certificate: bytes
    key: bytes = field(repr=False)


def make_authority(name: str, days: int, now: datetime) -> Pair:
    """A new self-signed authority. `now` with its time zone."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(name)
    certificate = (
        _builder(subject, subject, key, days, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _pair(certificate, key)


def make_server(authority: Pair, names: Sequence[str], days: int, now: datetime) -> Pair:
    """A server's certificate for DNS names and IP addresses; the first is its subject.

    Raises ConfigurationError: the authority ends before the certificate would, or is none.
    """
    signer_key, signer = _load(authority)
    if signer.not_valid_after_utc < now + timedelta(days=days):
        raise ConfigurationError(
            f"the authority's certificate ends on {signer.not_valid_after_utc:%Y-%m-%d}, before the server's would; "
            "make a new authority (delete its Secret) and hand its certificate to the hospitals",
            code="authority-ends",
        )
    key = ec.generate_private_key(ec.SECP256R1())
    own = x509.SubjectKeyIdentifier.from_public_key(signer_key.public_key())
    certificate = (
        _builder(_subject(names[0]), signer.subject, key, days, now)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), critical=False)
        .sign(signer_key, hashes.SHA256())
    )
    return _pair(certificate, key)


def is_good(server: bytes, authority: bytes, names: Sequence[str], days: int, now: datetime) -> bool:
    """Whether a certificate (PEM) is by this authority, for exactly these names, and has a third of `days` left."""
    try:
        certificate, signer = (x509.load_pem_x509_certificate(pem) for pem in (server, authority))
        certificate.verify_directly_issued_by(signer)
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    left = certificate.not_valid_after_utc - now
    return set(found) == {_general_name(name) for name in names} and left > timedelta(days=days) / 3


def _load(pair: Pair) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    try:
        key = load_pem_private_key(pair.key, password=None)
        certificate = x509.load_pem_x509_certificate(pair.certificate)
    except (ValueError, TypeError):
        raise ConfigurationError("the authority is not a PEM certificate and key; make it anew") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise ConfigurationError(
            "the authority's key is not its certificate's, or not an elliptic-curve one; make it anew"
        )
    return key, certificate


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:_COMMON_NAME_LENGTH])])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    return Pair(
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
