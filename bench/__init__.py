"""Measures the importer against its limit and a reference, and runs of playbooks against another commit."""

import sys
from pathlib import Path

# The function's code is not an installed package: Lambda, too, imports it from its folder. Nor are the tools.
for folder in ("tools", "files/lambda"):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))
