"""The summary at the end of a run: what people read, and what is written for programs."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playbook_runner import run_playbook

ROLE = """
- name: Present | Compare the bucket with what it should be
  csv_to_aurora.aws.resource_plan: {kind: bucket, name: data, before: "{{ found }}", after: {versioning: true}}
  register: __store_bucket_plan

- name: Present | Compare the rule with what it should be
  csv_to_aurora.aws.resource_plan: {kind: rule, name: old, before: {days: 1}, after: {days: 1}}
  register: __store_rule_plan

- name: Present | Compare the subnets with what they should be
  csv_to_aurora.aws.resource_plan: {kind: subnet, name: "net-{{ item }}", before: "{{ found }}", after: {zone: a}}
  loop: [a, b]
  loop_control: {label: "{{ item }}"}
  register: __store_subnets_plan

- name: Present | Create or mend the bucket
  ansible.builtin.command: "true"
  when: __store_bucket_plan.differs and not ansible_check_mode

- name: Present | Tag the bucket
  ansible.builtin.command: "true"
  when: __store_bucket_plan.differs and not ansible_check_mode

- name: Present | Mend the rule
  ansible.builtin.command: "true"
  when: __store_rule_plan.differs and not ansible_check_mode

- name: Present | Create or mend the subnets
  ansible.builtin.command: "true"
  loop: "{{ __store_subnets_plan.results | selectattr('differs') | map(attribute='item') }}"
  loop_control: {label: "{{ item }}"}
  when: not ansible_check_mode

- name: Present | Make the folders of {{ folder | basename }}
  ansible.builtin.file: {path: "{{ folder }}/{{ item }}", state: directory, mode: "0755"}
  loop: [in, out]
  loop_control: {label: "folder {{ item }}"}

- name: Present | Set the password
  ansible.builtin.copy: {content: "{{ item.password }}", dest: "{{ folder }}/password", mode: "0600"}
  loop: [{password: hunter2}]
  loop_control: {label: "{{ item.password }}"}
  no_log: true

- name: Present | Ask whether a folder would be made
  ansible.builtin.file: {path: "{{ folder }}/never", state: directory, mode: "0755"}
  check_mode: true

- name: Present | Note a fact
  ansible.builtin.set_fact: {__store_fact: 1}

- name: Present | Make a host known
  ansible.builtin.add_host: {name: elsewhere}
"""

PLAYBOOK = """
- name: Store
  hosts: localhost
  gather_facts: false
  roles: [store]
  tasks:
    - name: Remove the note
      ansible.builtin.file: {path: "{{ folder }}/note", state: absent}
    - name: Fail and recover
      block:
        - name: Fail
          ansible.builtin.command: "false"
      rescue:
        - name: Recover
          ansible.builtin.debug: {msg: recovered}
    - name: Fail and do not mind
      ansible.builtin.command: "false"
      ignore_errors: true
"""

REMOVING = """
- name: Remove
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Remove the note
      ansible.builtin.file: {path: "{{ folder }}/note", state: absent}
"""

FAILING = """
- name: Store
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Load the role
      ansible.builtin.include_role: {name: broken}
"""

DRIFTED = """
- name: Present | Compare the bucket with what it should be
  csv_to_aurora.aws.resource_plan:
    kind: bucket
    name: data
    before: {tags: {Team: red, Old: "1"}, days: 3, rules: [a, b], text: "{{ 'x' * 300 }}", same: 1}
    after: {tags: {Team: blue, New: "2"}, days: 4, rules: [b, c], text: y, same: 1}
- name: Present | Check that the bucket may be replaced
  ansible.builtin.assert: {that: false, fail_msg: It may not be replaced.}
  ignore_errors: "{{ ansible_check_mode }}"
"""

LOADING = """
- name: Store
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Load the role
      ansible.builtin.include_role: {name: drifted}
"""

STEERING = """
- name: Steer
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Show another plan, and what to do next
      ansible.builtin.set_stats:
        data:
          run_summary:
            plan: "{{ lookup('ansible.builtin.file', plan) | from_json }}"
            show: [Go on.]
            exit_code: 10
    - name: End as asked
      ansible.builtin.command: "{{ command }}"
"""

RESOURCES = [
    ("store", "bucket data", "create"),
    ("store", "subnet net-a", "create"),
    ("store", "subnet net-b", "create"),
    ("store", "folder in", "create"),
    ("store", "folder out", "create"),
    ("store", None, "change"),
    (None, None, "delete"),
]


@dataclass
class Run:
    """What one run of the playbook left."""

    output: str
    plan: dict[str, Any]
    returncode: int

    @property
    def summary(self) -> list[str]:
        """The lines after the recap."""
        return self.output[self.output.index("PLAY RECAP") :].splitlines()

    @property
    def totals(self) -> str:
        """The one line of totals."""
        (line,) = [line for line in self.summary if "as they should be" in line]
        return line

    @property
    def resources(self) -> list[tuple[str | None, str | None, str]]:
        """What was changed, in order."""
        return [(change["role"], change["item"], change["action"]) for change in self.plan["changes"]]


class Project:
    """A playbook and its roles in a folder of their own."""

    def __init__(self, folder: Path, playbook: str, roles: dict[str, str]) -> None:
        self.folder = folder
        self.playbook = folder / "site.yml"
        self.playbook.write_text(playbook)
        self.plan_file = folder / "plan.json"
        for name, tasks in roles.items():
            role = folder / "roles" / name / "tasks"
            role.mkdir(parents=True)
            (role / "main.yml").write_text(tasks)

    @property
    def environment(self) -> dict[str, str]:
        """What switches the summary on."""
        return {
            "ANSIBLE_CALLBACKS_ENABLED": "csv_to_aurora.aws.run_summary",
            "ANSIBLE_RUN_SUMMARY_PLAN_FILE": str(self.plan_file),
        }

    def run(self, found: dict[str, Any], *arguments: str) -> Run:
        """Run the playbook with what its comparisons find."""
        facts = json.dumps({"found": found, "folder": str(self.folder / "made")})
        run = run_playbook(self.playbook, "--diff", f"--extra-vars={facts}", *arguments, **self.environment)
        return Run(run.stdout + run.stderr, json.loads(self.plan_file.read_text()), run.returncode)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project, with a note to remove."""
    found = Project(tmp_path_factory.mktemp("summary"), PLAYBOOK, {"store": ROLE})
    (found.folder / "made").mkdir()
    (found.folder / "made/note").touch()
    return found


@pytest.fixture(scope="module")
def plan(project: Project) -> Run:
    """The plan of an empty place."""
    return project.run({}, "--check")


@pytest.fixture(scope="module")
def first(project: Project, plan: Run) -> Run:
    """The run after that plan."""
    assert plan.plan["check"]
    return project.run({})


@pytest.fixture(scope="module")
def second(project: Project, first: Run) -> Run:
    """The run after that run, with everything found as it should be."""
    assert not first.plan["check"]
    return project.run({"versioning": True, "zone": "a"})


def test_plan_names_what_would_change(plan: Run) -> None:
    assert plan.resources == RESOURCES
    assert "  store     would create  bucket data" in plan.summary
    assert "  playbook  would delete  Remove the note" in plan.summary


def test_run_changes_what_the_plan_named(plan: Run, first: Run) -> None:
    assert first.resources == plan.resources
    assert [change["task"] for change in first.plan["changes"]] == [change["task"] for change in plan.plan["changes"]]
    assert first.plan["totals"] == plan.plan["totals"]
    assert "  store     created       subnet net-b" in first.summary
    assert "  store     created       Make the folders of made: folder in" in first.summary
    assert "  playbook  deleted       Remove the note" in first.summary


def test_second_run_changes_nothing(second: Run) -> None:
    assert second.plan["changes"] == []
    assert "  Nothing changed." in second.summary
    # bucket, rule, two subnets, two folders, the password; the note.
    assert second.plan["roles"]["store"]["unchanged"] == 7
    assert second.plan["totals"] == {"create": 0, "change": 0, "delete": 0, "unchanged": 8, "failed": 0}


def test_totals_count_what_is_listed(first: Run) -> None:
    assert first.plan["roles"] == {
        "store": {"create": 5, "change": 1, "delete": 0, "unchanged": 1, "failed": 0},
        "playbook": {"create": 0, "change": 0, "delete": 1, "unchanged": 0, "failed": 0},
    }
    assert first.totals == "Run: 5 created, 1 changed, 1 deleted; 1 as they should be."


def test_there_is_one_line_of_totals(plan: Run, second: Run) -> None:
    assert plan.totals == "Plan: 5 to create, 1 to change, 1 to delete; 1 as they should be."
    assert second.totals == "Run: 0 created, 0 changed, 0 deleted; 8 as they should be."


def test_diff_is_what_the_module_told(plan: Run) -> None:
    bucket = plan.plan["changes"][0]
    assert bucket["module"] == "csv_to_aurora.aws.resource_plan"
    assert bucket["diff"]["before"] == {}
    assert bucket["diff"]["after"] == {"versioning": True}


def test_secrets_are_listed_by_name_alone(plan: Run, first: Run) -> None:
    for run in (plan, first):
        (password,) = [change for change in run.plan["changes"] if change["task"] == "Set the password"]
        assert password["item"] is None
        assert password["diff"] is None
        assert "hunter2" not in json.dumps(run.plan)
        assert "hunter2" not in run.output


def test_file_is_its_owners_only(project: Project, first: Run) -> None:
    assert first.plan
    assert project.plan_file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in project.folder.glob(".plan*")] == []


def test_colours_on_a_terminal_only(tmp_path: Path, plan: Run) -> None:
    assert "\x1b[" not in plan.output
    project = Project(tmp_path, REMOVING, {})
    (tmp_path / "note").touch()
    controller, terminal = pty.openpty()
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    command = [program, "--inventory=localhost,", "--connection=local", "--check", str(project.playbook)]
    settings = project.environment | {"TERM": "xterm"}
    with subprocess.Popen(
        [*command, f"--extra-vars=folder={tmp_path}"],
        cwd=Path(__file__).parents[2],
        env={name: value for name, value in os.environ.items() if name != "NO_COLOR"} | settings,
        stdout=terminal,
        stderr=subprocess.DEVNULL,
    ):
        os.close(terminal)
        output = b""
        try:
            while chunk := os.read(controller, 65536):
                output += chunk
        except OSError:
            pass  # how a terminal says that its other end is closed
        os.close(controller)
    (line,) = [line for line in output.decode().splitlines() if "would delete" in line]
    assert "\x1b[" in line


def test_a_failure_is_counted_where_it_happened(tmp_path: Path) -> None:
    broken = "- name: Present | Break\n  ansible.builtin.command: 'false'\n  loop: [1, 2]\n"
    run = Project(tmp_path, FAILING, {"broken": broken}).run({})
    assert run.returncode == 2
    assert run.plan["roles"]["broken"]["failed"] == 1
    assert run.plan["totals"]["failed"] == 1
    assert run.plan["failures"] == [
        {"host": "localhost", "role": "broken", "task": "Break", "message": "One or more items failed"}
    ]
    assert run.totals.endswith("; 1 failed.")


def test_a_file_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    project = Project(tmp_path, REMOVING, {})
    settings = project.environment | {"ANSIBLE_RUN_SUMMARY_PLAN_FILE": str(tmp_path / "none" / "plan.json")}
    run = run_playbook(project.playbook, f"--extra-vars=folder={tmp_path}", **settings)
    assert run.returncode == 0
    assert "Give plan_file a path in a folder that exists" in " ".join((run.stdout + run.stderr).split())


def test_a_plan_has_the_fields_that_differ_and_where_a_run_would_stop(tmp_path: Path) -> None:
    run = Project(tmp_path, LOADING, {"drifted": DRIFTED}).run({}, "--check")
    assert run.returncode == 0
    (change,) = run.plan["changes"]
    assert change["fields"] == ["tags", "days", "rules", "text"]
    lines = [line.strip() for line in run.summary]
    start = lines.index("drifted  would change  bucket data")
    assert lines[start + 1 : start + 8] == [
        "tags.Team: red → blue",
        "tags.Old: 1 → none",
        "tags.New: none → 2",
        "days: 3 → 4",
        "rules: - a",
        "rules: + c",
        f"text: {'x' * 139}… → y",
    ]
    assert [refusal["message"] for refusal in run.plan["refusals"]] == ["It may not be replaced."]
    assert lines[lines.index("A run would stop here:") + 1] == "drifted: It may not be replaced."


def test_a_playbook_can_show_another_plan_and_choose_the_exit_code(tmp_path: Path, plan: Run) -> None:
    assert plan.returncode == 0
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps(plan.plan))
    steering = Project(tmp_path, STEERING, {})
    for command, code in (("true", 10), ("false", 2)):
        values = json.dumps({"plan": str(kept), "command": command})
        run = run_playbook(steering.playbook, f"--extra-vars={values}", **steering.environment)
        assert run.returncode == code, run.stdout + run.stderr
        assert "  store     would create  bucket data" in run.stdout
        assert run.stdout.splitlines()[-2:] == [
            "Plan: 5 to create, 1 to change, 1 to delete; 1 as they should be.",
            "Go on.",
        ]
        assert "Traceback" not in run.stdout + run.stderr
