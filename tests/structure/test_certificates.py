"""Which CA certificates of a file refresh.py accepts, and that those of the project are listed and valid."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from repository import PROJECT

CERTS = PROJECT / "files/certs"
VALID_UNTIL = dt.datetime(2050, 1, 1, tzinfo=dt.UTC)
"""Until then no certificate of the project expires; a date, so that the test says the same every day."""
AGES_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
AMAZON = "Amazon RDS eu-west-1 Root CA RSA2048 G1"


def certificate(name: str = AMAZON, *, until: dt.datetime = VALID_UNTIL, ca: bool | None = True) -> x509.Certificate:
    """Return a self-signed certificate with a key of its own; ca null: without basic constraints."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(AGES_AGO - dt.timedelta(days=1)).not_valid_after(until)
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    return builder.sign(key, SHA256())


def fingerprint(of: x509.Certificate) -> str:
    return of.fingerprint(SHA256()).hex(":").upper()


def pem(*certificates: x509.Certificate) -> str:
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in certificates)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CERTS, tmp_path / "certs"))


def refresh(folder: Path, content: str) -> subprocess.CompletedProcess[str]:
    source = folder / "offered.pem"
    source.write_text(content)
    return subprocess.run(
        [sys.executable, str(folder / "refresh.py"), str(source)], capture_output=True, text=True, check=False
    )


def add_to_list(folder: Path, *certificates: x509.Certificate) -> None:
    with (folder / "fingerprints.txt").open("a") as file:
        file.writelines(f"{fingerprint(each)} {AMAZON}\n" for each in certificates)


def bundle(folder: Path = CERTS) -> str:
    return (folder / "rds-ca.pem").read_text()


def test_the_certificates_of_the_project_are_the_listed_ones() -> None:
    found = x509.load_pem_x509_certificates(bundle().encode())
    listed = [line for line in (CERTS / "fingerprints.txt").read_text().splitlines() if not line.startswith("#")]
    names = [str(each.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value) for each in found]
    assert listed == [f"{fingerprint(each)} {name}" for each, name in zip(found, names, strict=True)]


def test_the_certificates_of_the_project_are_valid_for_a_long_time() -> None:
    found = x509.load_pem_x509_certificates(bundle().encode())
    assert [each.subject for each in found if each.not_valid_after_utc < VALID_UNTIL] == []


def test_the_bundle_itself_is_accepted_and_stays_as_it_is(folder: Path) -> None:
    result = refresh(folder, bundle())
    assert (result.returncode, bundle(folder)) == (0, bundle())
    assert re.fullmatch(r"rds-ca\.pem: \d+ CA certificates, .* on 20\d\d-\d\d-\d\d\n", result.stdout)


def test_a_foreign_certificate_with_amazons_name_is_refused_with_the_whole_file(folder: Path) -> None:
    foreign = certificate()
    result = refresh(folder, bundle() + pem(foreign))
    assert result.returncode == 1
    assert f"{fingerprint(foreign)} {AMAZON}" in result.stderr
    assert "fingerprints.txt says how to verify them" in result.stderr
    assert bundle(folder) == bundle()


@pytest.mark.parametrize("ca", [False, None])
def test_a_certificate_of_a_server_is_refused_even_where_it_is_listed(folder: Path, ca: bool | None) -> None:
    server = certificate(ca=ca)
    add_to_list(folder, server)
    result = refresh(folder, bundle() + pem(server))
    assert result.returncode == 1
    assert f"no CA certificate: {AMAZON}" in result.stderr
    assert bundle(folder) == bundle()


def test_what_is_added_and_removed_is_shown(folder: Path) -> None:
    new = certificate("Amazon RDS xx-new-1 Root CA RSA2048 G1")
    add_to_list(folder, new)
    rest = x509.load_pem_x509_certificates(bundle().encode())[1:]
    result = refresh(folder, pem(*rest, new))
    assert result.stdout.splitlines()[:2] == [
        "added: Amazon RDS xx-new-1 Root CA RSA2048 G1",
        "removed: Amazon RDS af-south-1 Root CA ECC384 G1",
    ]
    assert "xx-new-1" in bundle(folder)
    assert "af-south-1 Root CA ECC384" not in bundle(folder)


def test_expired_and_preview_certificates_are_left_out(folder: Path) -> None:
    expired, listed = certificate(until=AGES_AGO), certificate(until=AGES_AGO)
    add_to_list(folder, listed)
    result = refresh(folder, bundle() + pem(expired, listed, certificate("Amazon RDS Preview us-east-2 CA")))
    assert (result.returncode, bundle(folder)) == (0, bundle())


@pytest.mark.parametrize("content", ["", "<html>Sign in to the network</html>", pem(certificate("Amazon RDS Beta CA"))])
def test_a_file_without_certificates_is_refused(folder: Path, content: str) -> None:
    result = refresh(folder, content)
    assert result.returncode == 1
    assert "offered.pem" in result.stderr
    assert "Traceback" not in result.stderr
    assert bundle(folder) == bundle()
