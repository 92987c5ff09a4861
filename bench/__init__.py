"""Measures the importer against its limit and a reference, runs of playbooks against another commit, the page."""

import sys
from pathlib import Path

# Their code is no installed package: Lambda and gunicorn, too, import it from its folder. Nor are the tools.
for folder in ("tools", "collections", "files/app", "files/lambda"):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))
