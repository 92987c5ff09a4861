"""Run ministack behind the strict layer, for tests: python -m strict RECORD [SETTINGS], the settings as JSON."""

import json
import runpy
import sys
from pathlib import Path

import strict

strict.install(Path(sys.argv[1]), **json.loads(sys.argv[2] if len(sys.argv) > 2 else "{}"))
sys.argv = ["ministack"]
runpy.run_module("ministack", run_name="__main__")
