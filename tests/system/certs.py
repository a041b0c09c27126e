# SPDX-License-Identifier: BSD-2-Clause
"""A certificate authority of a test, and what it issues: PEM files in one folder."""

import base64
import datetime
import hashlib
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _write(path, data, mode=0o644):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(fd, "wb") as f:
        f.write(data)
    os.chmod(path, mode)
    return path


def _pin(key):
    spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()


class Cert:
    """A certificate with its key: paths, and the pin of its key."""

    def __init__(self, folder, name, cert, key):
        self.name = name
        self.cert = _write(os.path.join(folder, name + ".pem"), cert.public_bytes(serialization.Encoding.PEM))
        self.key = _write(os.path.join(folder, name + ".key"), key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()), 0o600)
        self.pin = _pin(key)
        self.secret = key

    @property
    def pair(self):
        """As in the configuration."""
        return {"cert": self.cert, "key": self.key}


class Authority:
    """Issues certificates for names; `days` counts from now and may be past."""

    def __init__(self, lab, name="ca"):
        self.folder = lab.folder("ca")      # all in one: what the relay may read is decided at its start
        self.name = name
        self.subject = _name(name)
        self.key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.utcnow()
        cert = (x509.CertificateBuilder().subject_name(self.subject).issuer_name(self.subject)
                .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now - 400 * DAY).not_valid_after(now + 4000 * DAY)
                .add_extension(x509.BasicConstraints(True, None), True)
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False)
                .sign(self.key, hashes.SHA256()))
        self.ca = _write(os.path.join(self.folder, name + ".pem"), cert.public_bytes(serialization.Encoding.PEM))
        self.pin = _pin(self.key)

    def issue(self, *names, days=365, file=None, key=None):
        """A certificate for these names, the first of which is that of its files."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.utcnow()
        alt = []
        for n in names:
            try:
                alt.append(x509.IPAddress(ipaddress.ip_address(n)))
            except ValueError:
                alt.append(x509.DNSName(n))
        cert = (x509.CertificateBuilder().subject_name(_name(names[0])).issuer_name(self.subject)
                .public_key(key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now - 399 * DAY).not_valid_after(now + days * DAY)
                .add_extension(x509.SubjectAlternativeName(alt), False)
                .add_extension(x509.BasicConstraints(False, None), True)
                .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False)
                .sign(self.key, hashes.SHA256()))
        return Cert(self.folder, file or ("" if self.name == "ca" else self.name + "-") + names[0], cert, key)
