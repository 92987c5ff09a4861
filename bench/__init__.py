"""Measures the importer against its limit and against the method that it replaces."""

import sys
from pathlib import Path

# The function's code is no installed package: Lambda, too, finds it by its folder.
sys.path.insert(0, str(Path(__file__).parents[1] / "files" / "lambda"))
