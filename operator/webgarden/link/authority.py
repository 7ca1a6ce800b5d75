"""The link's own certificate authority: made once, kept in a Secret, and what is issued from it.

The server's certificate lives in memory only, for 30 days, and is issued anew after 20: no restart is needed, since each new
connection asks for the current one. The authority's certificate lives ten years and is replaced in its last year; listeners
read it from a ConfigMap at each connect, and one that comes before the kubelet has brought the new one comes again.
"""

from __future__ import annotations

import ssl
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE = timedelta(days=3650)
AUTHORITY_RENEWAL = timedelta(days=365)
SERVER_LIFE = timedelta(days=30)
SERVER_RENEWAL = timedelta(days=10)
BACKDATED = timedelta(minutes=5)
"""Clocks of nodes differ."""


class AuthorityError(Exception):
    """What is in the Secret is no certificate with its key; the message says what to do."""


@dataclass(frozen=True)
class Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def make(cls, now: datetime) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "webgarden link")])
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        builder = _builder(name, name, key.public_key(), now, AUTHORITY_LIFE)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(usage, critical=True)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        return cls(builder.add_extension(identifier, critical=False).sign(key, hashes.SHA256()), key)

    @classmethod
    def read(cls, certificate: bytes, key: bytes) -> Authority:
        try:
            loaded = serialization.load_pem_private_key(key, None)
            parsed = x509.load_pem_x509_certificate(certificate)
        except ValueError as error:
            raise AuthorityError(f"the link's authority cannot be read ({error}): delete its Secret") from error
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise AuthorityError("the link's authority has a key of another kind: delete its Secret")
        return cls(parsed, loaded)

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return _private(self.key)

    def stale(self, now: datetime) -> bool:
        return self.certificate.not_valid_after_utc - now < AUTHORITY_RENEWAL

    def issue(self, hosts: tuple[str, ...], now: datetime) -> ServerCertificate:
        """A certificate for a server that is reached by these DNS names."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
        builder = _builder(name, self.certificate.subject, key.public_key(), now, SERVER_LIFE)
        alternatives = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = builder.add_extension(alternatives, critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(identifier, critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        return ServerCertificate(certificate.public_bytes(serialization.Encoding.PEM), _private(key), now + SERVER_LIFE)


@dataclass(frozen=True)
class ServerCertificate:
    certificate: bytes
    key: bytes
    expires: datetime

    def due(self, now: datetime) -> bool:
        return self.expires - now < SERVER_RENEWAL

    def load_into(self, context: ssl.SSLContext) -> None:
        """New connections of this context use it. The standard library takes files alone; they are gone at once."""
        with tempfile.TemporaryDirectory() as directory:
            chain = Path(directory, "chain.pem")
            chain.touch(mode=0o600)
            chain.write_bytes(self.certificate + self.key)
            context.load_cert_chain(chain)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + life)
    )


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
