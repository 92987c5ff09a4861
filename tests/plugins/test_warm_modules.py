"""The callback that runs AWS modules in forks: the same results as without it, and no other modules affected."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from emulated_cloud import Cloud
from playbook_runner import run_playbook

PLAYBOOK = """
- name: Run modules
  hosts: localhost
  gather_facts: false
  module_defaults:
    group/csv_to_aurora.aws.aws: "{{ cloud_connection }}"
  tasks:
    - name: Create
      amazon.aws.iam_role: &role
        name: "{{ role_name }}"
        assume_role_policy_document:
          Version: "2012-10-17"
          Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: "sts:AssumeRole"}]
        tags: {Umlaut: "ä, 日本", Quote: "it's"}
      register: created

    - name: Create what is there
      amazon.aws.iam_role: *role
      register: unchanged

    - name: Plan to remove
      amazon.aws.iam_role: {name: "{{ role_name }}", state: absent}
      check_mode: true
      register: planned

    - name: Look at several
      amazon.aws.iam_role_info: {name: "{{ item }}"}
      loop: ["{{ role_name }}", no-such-role]
      register: found

    - name: Look at several side by side
      csv_to_aurora.aws.gather:
        modules:
          there: {amazon.aws.iam_role_info: {name: "{{ role_name }}"}}
          absent: {amazon.aws.iam_role_info: {name: no-such-role}}
      register: gathered

    - name: Be refused side by side
      csv_to_aurora.aws.gather: {modules: {wrong: {amazon.aws.iam_role_info: {no_such_option: 1}}}}
      register: not_gathered
      ignore_errors: true

    - name: Be refused
      amazon.aws.iam_role: {name: "{{ role_name }}", state: absent, no_such_option: 1}
      register: refused
      ignore_errors: true

    - name: Be refused by the API
      amazon.aws.lambda_execute: {name: no-such-function}
      register: missing
      ignore_errors: true

    - name: Run in an environment of its own
      amazon.aws.aws_caller_info:
      environment: {AWS_MAX_ATTEMPTS: "1"}
      register: caller

    - name: Run what is no AWS module
      ansible.builtin.command: {argv: [python3, -c, "print(6 * 7)"]}
      register: other

    - name: Remove
      amazon.aws.iam_role: {name: "{{ role_name }}", state: absent}
      register: removed

    - name: Keep the results
      ansible.builtin.copy:
        content: "{{ results | to_json }}"
        dest: "{{ file }}"
        mode: "0600"
      vars:
        results:
          changed: "{{ [created, unchanged, planned, removed] | map(attribute='changed') }}"
          tags: "{{ created.iam_role.tags }}"
          found: "{{ found.results | map(attribute='iam_roles') | map('length') }}"
          gathered: "{{ [gathered.there, gathered.absent] | map(attribute='iam_roles') | map('length') }}"
          not_gathered: "{{ not_gathered.msg }}"
          refused: "{{ refused.msg }}"
          missing: "{{ [missing.failed, missing.msg is search('no-such-function')] }}"
          account: "{{ caller.account }}"
          other: "{{ other.stdout }}"
"""


def results(cloud: Cloud, folder: Path, *, warm: bool) -> tuple[dict[str, Any], str]:
    playbook, file = folder / "playbook.yml", folder / "results.json"
    playbook.write_text(PLAYBOOK, encoding="utf-8")
    values = {"cloud_connection": cloud.connection, "file": str(file), "role_name": f"warm-{warm}".lower()}
    run = run_playbook(
        playbook, "-vvv", f"--extra-vars={json.dumps(values)}", ANSIBLE_WARM_MODULES=str(warm), ANSIBLE_PIPELINING="1"
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return json.loads(file.read_text()), run.stdout


def modules_started(output: str) -> int:
    """How many modules of AWS ran in a new Python process."""
    return len(re.findall(r"Using module file \S+/ansible_collections/amazon/", output))


@pytest.mark.parametrize("cloud", ["ministack"], indirect=True)
def test_results_are_the_same_with_and_without(cloud: Cloud, tmp_path: Path) -> None:
    cold, cold_output = results(cloud, tmp_path, warm=False)
    warm, warm_output = results(cloud, tmp_path, warm=True)
    assert warm == cold
    assert warm["changed"] == [True, False, True, True]
    assert warm["tags"] == {"Umlaut": "ä, 日本", "Quote": "it's"}
    assert warm["found"] == [1, 0]
    assert warm["gathered"] == [1, 0]
    assert "no_such_option" in warm["not_gathered"]
    assert "no_such_option" in warm["refused"]
    assert warm["missing"] == [True, True]
    assert warm["other"] == "42"
    # The module with an environment is run as without it.
    assert modules_started(cold_output) - modules_started(warm_output) == 11
    assert modules_started(warm_output) == 1
