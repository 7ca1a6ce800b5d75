"""Certificates and kubeconfigs: one authority a cluster, thrown away with it.

One authority signs clients, servers and the aggregator alike; the apiserver tells them apart by
name (`--requestheader-allowed-names`). Keys are EC, because RSA keys take seconds to make.
Trap: Python 3.13 checks strictly and wants the key identifiers and usages others do without.
"""

import base64
import datetime
import ipaddress
import json
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID = datetime.timedelta(days=30)
SIGNS = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


class Authority:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("webgarden-test", "")
        self._identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        certificate = (
            _builder(self._name, self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(SIGNS, critical=True)
            .add_extension(self._identifier, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = directory / "ca.crt"
        self.certificate.write_bytes(_pem(certificate))
        self.key = write_key(directory / "ca.key", self._key)

    def issue(self, name: str, user: str, *, group: str = "", serves: Sequence[str] = ()) -> tuple[Path, Path]:
        """A certificate and its key, for a client and, with addresses or names, for a server."""
        key = ec.generate_private_key(ec.SECP256R1())
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        builder = (
            _builder(_name(user, group), self._name, key.public_key())
            .add_extension(x509.ExtendedKeyUsage(uses if serves else uses[:1]), critical=False)
            .add_extension(_signed_by(self._identifier), critical=False)
        )
        if serves:
            names = x509.SubjectAlternativeName([_alternative(served) for served in serves])
            builder = builder.add_extension(names, critical=False)
        path = self.directory / f"{name}.crt"
        path.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))
        return path, write_key(self.directory / f"{name}.key", key)

    def kubeconfig(self, name: str, user: str, *, group: str = "", server: str) -> Path:
        path = self.directory / f"{name}.kubeconfig"
        cluster = {"server": server, "certificate-authority-data": _encoded(self.certificate)}
        certificate, key = map(_encoded, self.issue(name, user, group=group))
        client = {"client-certificate-data": certificate, "client-key-data": key}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "webgarden", "cluster": cluster}],
            "users": [{"name": name, "user": client}],
            "contexts": [{"name": name, "context": {"cluster": "webgarden", "user": name}}],
            "current-context": name,
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(config, indent=2))
        return path


def write_key(path: Path, key: ec.EllipticCurvePrivateKey | None = None) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(
        (key or ec.generate_private_key(ec.SECP256R1())).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return path


def _signed_by(issuer: x509.SubjectKeyIdentifier) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + VALID)
    )


def _name(user: str, group: str) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, user)]
    if group:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    return x509.Name(attributes)


def _alternative(served: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(served))
    except ValueError:
        return x509.DNSName(served)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
