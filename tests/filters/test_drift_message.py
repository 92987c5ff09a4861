"""What a scheduled plan tells people: which resources differ, and the next command, within the limits of SNS."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.csv_to_aurora.aws.plugins.filter.drift_message import LISTED, drift_message


def plan(*names: str) -> dict[str, Any]:
    """Return a plan that updates groups of these names."""
    diff = {"before": {"ingress": ["203.0.113.9/32"]}, "after": {}}
    found = {"action": "update", "kind": "security group", "role": "security_groups", "diff": diff}
    return {"changes": [found | {"name": name} for name in names]}


def test_it_names_what_differs_and_the_next_command() -> None:
    message = drift_message(plan("s-app", "s-db"), "s", "stage", "stage")
    assert message["subject"] == "s: the plan names 2 changes"
    event = json.loads(message["json"])
    assert (event["type"], event["stack"], event["environment"], event["changes_total"]) == (
        "drift.found",
        "s",
        "stage",
        2,
    )
    first = {"action": "update", "kind": "security group", "name": "s-app", "role": "security_groups"}
    assert event["changes"][0] == first
    assert "security_groups: would update security group s-db" in message["email"]
    assert "\n  ansible-playbook playbooks/plan.yml -i inventories/stage\n" in message["email"]
    assert message["email"].endswith("\n  ansible-playbook playbooks/site.yml -i inventories/stage")


def test_what_differs_in_them_is_not_told() -> None:
    assert "203.0.113.9" not in "".join(drift_message(plan("s-app"), "s", "stage", "stage").values())


def test_a_change_of_a_playbooks_own_task_is_one_of_the_playbook() -> None:
    found = plan("f")
    found["changes"][0]["role"] = None
    assert "playbook: would update security group f" in drift_message(found, "s", "stage", "stage")["email"]


def test_it_stays_within_what_sns_takes() -> None:
    many = plan(*("\U0001f600\n" + "n" * 5000 + str(number) for number in range(3000)))
    message = drift_message(many, "ü" * 300, "stage", "stage")
    assert len(message["subject"]) == 99
    assert message["subject"].isascii()
    assert "\n" not in message["subject"]
    assert len(json.dumps({"default": message["json"], "email": message["email"]}).encode()) < 256 * 1024
    assert json.loads(message["json"])["changes_total"] == 3000
    assert len(json.loads(message["json"])["changes"]) == LISTED
    assert "and 2900 more" in message["email"]
