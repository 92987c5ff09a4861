"""On a host that lacks PyMySQL or the CA certificates: write both to a directory, and print its path."""

import base64
import importlib.util
import json
import sys
import tempfile
from pathlib import Path

wanted = json.load(sys.stdin)
installed = Path(wanted["ca_file"])
has_ca = not wanted["ca"] or (installed.is_file() and installed.read_text() == wanted["ca"])
if importlib.util.find_spec("pymysql") is None or not has_ca:
    directory = Path(tempfile.mkdtemp())
    (directory / "pymysql.zip").write_bytes(base64.b64decode(wanted["pymysql"]))
    (directory / "ca.pem").write_text(wanted["ca"])
    sys.stdout.write(f"{directory}\n")
