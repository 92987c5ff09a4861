"""The findings of cloudsplaining and parliament in the documents."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import permissions
import pytest
import yaml

from tests.policies.stack import STACK

EXCEPTIONS = yaml.safe_load((permissions.POLICIES / "exceptions.yml").read_text(encoding="utf-8"))
# In a process of its own: parliament uses a module of setuptools that warns when it is imported.
PROGRAM = """
import json, sys
from cloudsplaining.scan.policy_document import PolicyDocument
from parliament import analyze_policy_string

found = {}
for name, policy in json.load(sys.stdin).items():
    seen = PolicyDocument(policy)
    found[name] = {
        "parliament": sorted({finding.issue for finding in
                              analyze_policy_string(json.dumps(policy), include_community_auditors=True).findings}),
        "cloudsplaining": sorted(str(finding) for finding in [
            *seen.allows_privilege_escalation, *seen.infrastructure_modification,
            *seen.allows_data_exfiltration_actions, *seen.permissions_management_without_constraints,
            *seen.credentials_exposure, *seen.service_wildcard]),
    }
json.dump(found, sys.stdout)
"""


def scan(policies: dict[str, Any]) -> dict[str, dict[str, list[str]]]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        input=json.dumps(policies),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, list[str]]] = json.loads(done.stdout)
    return found


def policy(*names: str) -> dict[str, Any]:
    statements = [statement for name in names for statement in permissions.document(name, STACK)]
    return {"Version": "2012-10-17", "Statement": statements}


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, list[str]]]:
    """The findings of every document, and of the deployer's documents together."""
    together = [name for name in permissions.names() if name.startswith("deployer-")]
    careless = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:*", "Resource": "*"}]}
    return scan(
        {name: policy(name) for name in permissions.names()} | {"deployer": policy(*together), "careless": careless}
    )


def test_the_scanners_find_what_is_careless(found: dict[str, dict[str, list[str]]]) -> None:
    assert found["careless"]["cloudsplaining"]
    assert found["careless"]["parliament"]


def test_cloudsplaining_finds_nothing(found: dict[str, dict[str, list[str]]]) -> None:
    assert {
        name: seen["cloudsplaining"] for name, seen in found.items() if name != "careless" and seen["cloudsplaining"]
    } == {}


def test_what_parliament_finds_has_its_reason(found: dict[str, dict[str, list[str]]]) -> None:
    issues = {(name, issue) for name in permissions.names() for issue in found[name]["parliament"]}
    assert issues == {(entry["document"], entry["issue"]) for entry in EXCEPTIONS["findings"]}
    assert all(entry["reason"] for entry in EXCEPTIONS["findings"])
