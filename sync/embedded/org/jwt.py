"""Signed assertions (JWT, RS256): their claims, once the signature was checked against a registered certificate."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa


class JwtError(Exception):
    """An assertion that is not to be believed, and why."""


def _part(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise JwtError("not base64url") from None


def _public_key(pem: bytes) -> rsa.RSAPublicKey:
    is_certificate = b"BEGIN CERTIFICATE" in pem
    found: object = (
        x509.load_pem_x509_certificate(pem).public_key() if is_certificate else serialization.load_pem_public_key(pem)
    )
    if not isinstance(found, rsa.RSAPublicKey):
        raise JwtError("the certificate holds no RSA key")
    return found


def read_claims(assertion: str, certificate: bytes) -> dict[str, Any]:
    """The claims of an assertion signed with a certificate's (or public key's) private key. Raises JwtError."""
    parts = assertion.split(".")
    if len(parts) != 3:
        raise JwtError("not three parts")
    try:
        head, claims = (msgspec.json.decode(_part(part)) for part in parts[:2])
    except msgspec.DecodeError:
        raise JwtError("no JSON") from None
    if not isinstance(head, dict) or not isinstance(claims, dict) or head.get("alg") != "RS256":
        raise JwtError("not signed with RS256")
    signed = f"{parts[0]}.{parts[1]}".encode()
    try:
        _public_key(certificate).verify(_part(parts[2]), signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise JwtError("the signature is not that of the app's certificate") from None
    return claims
