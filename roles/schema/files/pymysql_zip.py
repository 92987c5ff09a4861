"""Print this machine's PyMySQL, pure Python, as a base64 zip that a Python elsewhere can import from."""

from __future__ import annotations

import base64
import io
import sys
import zipfile
from pathlib import Path

import pymysql

package = Path(pymysql.__file__).parent
buffer = io.BytesIO()
with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
    for path in sorted(package.rglob("*.py")):
        archive.write(path, path.relative_to(package.parent))
sys.stdout.write(base64.b64encode(buffer.getvalue()).decode())
