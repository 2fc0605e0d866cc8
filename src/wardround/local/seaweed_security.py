"""What closes the parts of a SeaweedFS process to everybody else on the machine.

Its S3 gateway knows identities. The rest of it (master, volumes, filer) listens on loopback too, where every local user
reaches it: gRPC takes only who shows the one certificate that is made here at each start, over HTTP volumes take only
tokens, and the master changes nothing.
"""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_PARTS = ("master", "volume", "filer", "s3", "client")
_TOKENS = ("SIGNING", "SIGNING_READ", "FILER_SIGNING", "FILER_SIGNING_READ")
# An address of nobody (RFC 5737): whom the master lets delete collections over HTTP. Its parts speak gRPC.
NOBODY = "192.0.2.1"


def write_security(folder: Path) -> None:
    """Makes the certificate and `security.toml`, which the server reads in its folder; for their owner's eyes only."""
    certificate, key = _pair()
    _write(folder / "grpc.pem", certificate)
    _write(folder / "grpc.key", key)
    lines = ["[grpc]", f'ca = "{folder / "grpc.pem"}"']
    for part in _PARTS:
        lines += [f"[grpc.{part}]", *_files(folder)]
    for part in ("master", "volume"):
        lines += [f"[https.{part}]", *_files(folder), f'ca = "{folder / "grpc.pem"}"']
    lines += ["[https.client]", "enabled = true", *_files(folder), f'ca = "{folder / "grpc.pem"}"']
    _write(folder / "security.toml", "\n".join(lines).encode() + b"\n")


def tokens() -> Mapping[str, str]:
    """Variables with the keys of the tokens that the parts show each other over HTTP, made anew."""
    return {f"WEED_JWT_{name}_KEY": secrets.token_hex(32) for name in _TOKENS}


def _files(folder: Path) -> tuple[str, str]:
    return f'cert = "{folder / "grpc.pem"}"', f'key = "{folder / "grpc.key"}"'


def _pair() -> tuple[bytes, bytes]:
    """A certificate that is its own authority, for whoever has its key: server and client alike."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "wardround exchange on this machine")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM), private


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.touch(0o600, exist_ok=False)
    path.write_bytes(content)
