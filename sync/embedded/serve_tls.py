"""A certificate authority of the sandbox's own, and a certificate for its loopback address."""

from __future__ import annotations

import ipaddress
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    # Valid around the machine's clock: certificates are checked against that, not against the controlled one.
    now = datetime.fromtimestamp(os.stat(os.devnull).st_atime, UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=3_650))
    )


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def make_signing_key(directory: Path) -> tuple[Path, bytes]:
    """Write ``jwt.key``, the private key that clients sign assertions with: its path, and its public half (PEM)."""
    directory.mkdir(parents=True, exist_ok=True)
    key = rsa.generate_private_key(65_537, 2_048)
    pem, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path = directory / "jwt.key"
    _write(path, key.private_bytes(pem, private, serialization.NoEncryption()))
    return path, key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)


def make_certificates(directory: Path) -> tuple[Path, Path]:
    """Write ``ca.pem`` and ``server.pem`` (certificate and key) into a directory; their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("Sandbox certificate authority")
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    ca = (
        _builder(ca_name, ca_name, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    own = (
        _builder(_name("localhost"), ca_name, key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    ca_path, server_path = directory / "ca.pem", directory / "server.pem"
    _write(ca_path, ca.public_bytes(pem))
    _write(server_path, own.public_bytes(pem) + secret)
    return ca_path, server_path
