#!/usr/bin/env python3
"""Write the CA certificates of Amazon RDS and Aurora to rds-ca.pem.

    refresh.py FILE       takes them from Amazon's file, downloaded from
                          https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem

A file with a certificate whose SHA-256 fingerprint is not in fingerprints.txt is refused: whoever can change the file
on its way here does not decide which CA the importer and the app host trust. Expired certificates, and those of
Amazon's beta and preview regions, are left out.
"""

import datetime as dt
import re
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

BUNDLE = Path(__file__).with_name("rds-ca.pem")
FINGERPRINTS = Path(__file__).with_name("fingerprints.txt")


def main(arguments: list[str]) -> None:
    """Write the bundle and say what it holds and what has changed.

    Raises:
        SystemExit: When the file has a certificate that is unknown or no CA certificate, or none at all.
    """
    if len(arguments) != 1:
        sys.exit((__doc__ or "").strip())
    now = dt.datetime.now(dt.UTC)
    # Amazon's file keeps expired certificates for years: they are not written, so that nothing about them is checked.
    offered = [
        each
        for each in _certificates(Path(arguments[0]))
        if each.not_valid_after_utc > now and not re.search("Beta|Preview", _name(each))
    ]
    if problems := _problems(offered):
        sys.exit("\n".join([f"{arguments[0]} is refused, {BUNDLE.name} is unchanged:", *problems]))
    kept = {_fingerprint(each): each for each in offered}
    if not kept:
        sys.exit(f"{arguments[0]} is refused: it has no valid CA certificate. {BUNDLE.name} is unchanged.")
    before = {_fingerprint(each): each for each in _certificates(BUNDLE)} if BUNDLE.exists() else {}
    ordered = sorted(kept.values(), key=lambda each: (_name(each), each.serial_number))
    BUNDLE.write_text(
        "".join(f"# {_name(each)}\n{each.public_bytes(Encoding.PEM).decode()}" for each in ordered), encoding="ascii"
    )
    changes = [f"added: {_name(kept[each])}" for each in kept if each not in before]
    changes += [f"removed: {_name(before[each])}" for each in before if each not in kept]
    first = min(each.not_valid_after_utc for each in ordered)
    total = f"{BUNDLE.name}: {len(ordered)} CA certificates, the first to expire does so on {first:%Y-%m-%d}"
    sys.stdout.write("\n".join([*sorted(changes), total]) + "\n")


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        sys.exit(f"{path} cannot be read as PEM certificates: {error}")


def _problems(certificates: list[x509.Certificate]) -> list[str]:
    known = set(re.findall(r"^[0-9A-F:]{95}(?= )", FINGERPRINTS.read_text(encoding="ascii"), re.MULTILINE))
    problems = [f"no CA certificate: {_name(each)}" for each in certificates if not _is_ca(each)]
    unknown = [f"{_fingerprint(each)} {_name(each)}" for each in certificates if _fingerprint(each) not in known]
    if unknown:
        problems += [
            f"unknown certificates; {FINGERPRINTS.name} says how to verify them before you add them:",
            *unknown,
        ]
    return problems


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(SHA256()).hex(":").upper()


def _name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return ascii(str(names[0].value))[1:-1] if names else "(no name)"


if __name__ == "__main__":
    main(sys.argv[1:])
