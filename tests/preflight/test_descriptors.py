"""The descriptors of the datasets: one that cannot be used stops a run before anything is asked of AWS."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playbook_runner import PROJECT, run_playbook

CUSTOMER = PROJECT / "datasets/customer.yaml"


def checked(folder: Path, *descriptors_and_arguments: Path | str) -> tuple[int, str]:
    """Run the check of descriptors; return the exit code and the output on one line."""
    (folder / "roles").symlink_to(PROJECT / "roles")
    variables = {"preflight_datasets": [str(each) for each in descriptors_and_arguments if isinstance(each, Path)]}
    arguments = [each for each in descriptors_and_arguments if isinstance(each, str)]
    role = {"ansible.builtin.import_role": {"name": "preflight", "tasks_from": "datasets"}, "vars": variables}
    playbook = folder / "playbook.yml"
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [role]}]))
    done = run_playbook(playbook, *arguments)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_the_project_s_own_can_be_used(tmp_path: Path) -> None:
    code, output = checked(tmp_path, CUSTOMER)
    assert code == 0, output


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("type: string", "type: geopoint", "schema.fields[0].type"),
        ("maxLength: 50", "maxLenght: 50", "maxLenght"),
        ("format: email", "format: [", "expected"),
    ],
    ids=["not supported", "misspelt", "no YAML"],
)
def test_one_that_cannot_be_used_is_named_with_its_line(tmp_path: Path, before: str, after: str, reason: str) -> None:
    text = CUSTOMER.read_text()
    line = next(number for number, each in enumerate(text.splitlines(), 1) if before in each)
    descriptor = tmp_path / "orders.yaml"
    descriptor.write_text(text.replace(before, after, 1))
    code, output = checked(tmp_path, descriptor)
    assert code == 2, output
    assert "The descriptors of the datasets cannot be used:" in output
    assert f"{descriptor}:" in output
    assert reason in output
    assert reason == "expected" or f"{descriptor}:{line}:" in output


def test_a_missing_one_is_named_and_stops_a_plan_too(tmp_path: Path) -> None:
    code, output = checked(tmp_path, tmp_path / "orders.yaml", "--check")
    assert code == 2, output
    assert f"{tmp_path / 'orders.yaml'}: it cannot be read" in output


def test_two_that_would_take_the_same_objects_are_named(tmp_path: Path) -> None:
    copy = tmp_path / "other.yaml"
    copy.write_text(CUSTOMER.read_text().replace("name: customer\n", "name: other\ncsvToAurora:table: other\n"))
    code, output = checked(tmp_path, CUSTOMER, copy)
    assert code == 2, output
    assert "the datasets customer and other have the same key prefix: ''" in output
