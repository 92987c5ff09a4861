"""The summary at the end of a run: what is printed, and what is written as JSON."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playbook_runner import run_playbook

from ansible_collections.csv_to_aurora.aws.plugins.callback.run_summary import difference
from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.changes import action_of, merged
from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.subjects import MANAGES, subject_of

ROLE = """
- name: Present | Create or update the bucket
  csv_to_aurora.aws.resource:
    kind: bucket
    name: data
    current: "{{ found }}"
    desired: {versioning: true}
    apply: {ansible.builtin.command: {_raw_params: "true"}}

- name: Present | Tag the bucket
  csv_to_aurora.aws.resource:
    kind: bucket
    name: data
    current: "{{ found and {'versioning': true, 'tags': 1} or {'versioning': true} }}"
    desired: {tags: 1}
    apply: {ansible.builtin.command: {_raw_params: "true"}}

- name: Present | Create or update the rule
  csv_to_aurora.aws.resource: {kind: rule, name: old, current: {days: 1}, desired: {days: 1}}

- name: Present | Remove what has never been
  csv_to_aurora.aws.resource: {kind: rule, name: older, current: {}, desired: {}}

- name: Present | Create or update the subnets
  csv_to_aurora.aws.resource:
    kind: subnet
    name: "net-{{ item }}"
    current: "{{ found }}"
    desired: {zone: a}
    apply: {ansible.builtin.command: {_raw_params: "true"}}
  loop: [a, b]
  loop_control: {label: "number {{ item }}"}

- name: Present | Create or update the secret
  csv_to_aurora.aws.resource:
    kind: secret
    name: login
    current: "{{ found }}"
    desired: {password: hunter2}
    apply: {ansible.builtin.command: {_raw_params: "true"}}
  no_log: true

- name: Present | Make the folders of {{ folder | basename }}
  ansible.builtin.file: {path: "{{ folder }}/{{ item }}", state: directory, mode: "0755"}
  loop: [in, out]

- name: Present | Set the password
  ansible.builtin.copy: {content: "{{ item.password }}", dest: "{{ folder }}/password", mode: "0600"}
  loop: [{password: hunter2}]
  loop_control: {label: "{{ item.password }}"}
  no_log: true

- name: Present | Ask whether a folder would be made
  ansible.builtin.file: {path: "{{ folder }}/never", state: directory, mode: "0755"}
  check_mode: true

- name: Present | Ask a command
  ansible.builtin.command: "true"
  changed_when: false

- name: Present | Note a fact
  ansible.builtin.set_fact: {__store_fact: 1}

- name: Present | Make a host known
  ansible.builtin.add_host: {name: elsewhere}
"""

PLAYBOOK = """
- name: Plan
  hosts: localhost
  gather_facts: false
  check_mode: true
  roles: [store]

- name: Store
  hosts: localhost
  gather_facts: false
  roles: [store]
  tasks:
    - name: Remove the note
      ansible.builtin.file: {path: "{{ folder }}/note", state: absent}
    - name: Start the emulator
      ansible.builtin.command: "true"
      loop: [one]
      changed_when: not found
      when: not ansible_check_mode
      vars:
        emulator_resource: {kind: emulator, name: "{{ found | length }} {{ item }}", action: create}
    - name: Run something without a description
      ansible.builtin.command: "true hunter2"
      changed_when: not found
      when: not ansible_check_mode
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
    - name: Say what is next
      ansible.builtin.set_stats: {data: {run_summary: {show: ["Read {{ folder }}/in/../out."]}}}
"""

REMOVING = """
- name: Remove
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Remove the note
      ansible.builtin.file: {path: "{{ folder }}/note", state: absent}
"""

LOADING = """
- name: Store
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Load the role
      ansible.builtin.include_role: {name: loaded}
"""

BROKEN = """
- name: Present | Write
  ansible.builtin.copy: {content: hello, dest: "{{ folder }}/written", mode: "0600"}
- name: Present | Check each
  ansible.builtin.assert: {that: item == 2, fail_msg: "Number {{ item }} is wrong.", quiet: true}
  loop: [1, 2, 3]
"""

DRIFTED = """
- name: Present | Create or update the bucket
  csv_to_aurora.aws.resource:
    kind: bucket
    name: data
    current: {tags: {Team: red, Old: "1"}, days: 3, rules: [a, b], text: "{{ 'x' * 300 }}", same: 1}
    desired: {tags: {Team: blue, New: "2"}, days: 4, rules: [b, c], text: y, same: 1}
- name: Present | Create or update the logging of the bucket
  csv_to_aurora.aws.resource: {kind: bucket, name: data, current: {log: a, id: 1}, desired: {log: b}}
- name: Present | Create or replace the instance
  csv_to_aurora.aws.resource:
    kind: instance
    name: app
    current: {type: small}
    desired: {type: large}
    replace_on: [type]
    refuse: [{when: "action == 'replace'", message: It would be replaced.}]
- name: Present | Check that the bucket may be replaced
  ansible.builtin.assert: {that: item == 2, fail_msg: "It may not be replaced ({{ item }}).", quiet: true}
  loop: [1, 2, 3]
  ignore_errors: "{{ ansible_check_mode }}"
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

KEYS = ["host", "remote", "role", "kind", "name", "action", "module", "fields", "diff", "seconds"]


@dataclass
class Run:
    """What one run of the playbook left."""

    output: str
    plan: dict[str, Any]
    returncode: int

    @property
    def lines(self) -> list[str]:
        """What was printed, line by line."""
        return self.output.splitlines()

    @property
    def totals(self) -> str:
        """The one line of totals."""
        (line,) = [line for line in self.lines if "unchanged" in line]
        return line

    @property
    def resources(self) -> list[tuple[str | None, str, str, str]]:
        """What was changed, in order."""
        return [(change["role"], change["kind"], change["name"], change["action"]) for change in self.plan["changes"]]


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
        """The environment variables that enable the summary."""
        return {
            "ANSIBLE_CALLBACKS_ENABLED": "csv_to_aurora.aws.run_summary",
            "ANSIBLE_RUN_SUMMARY_PLAN_FILE": str(self.plan_file),
        }

    def run(self, found: dict[str, Any], *arguments: str) -> Run:
        """Run the playbook with what its info modules find."""
        facts = json.dumps({"found": found, "folder": str(self.folder / "made")})
        run = run_playbook(self.playbook, f"--extra-vars={facts}", *arguments, **self.environment)
        return Run(run.stdout + run.stderr, json.loads(self.plan_file.read_text()), run.returncode)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project, with a note to remove."""
    found = Project(tmp_path_factory.mktemp("summary"), PLAYBOOK, {"store": ROLE})
    (found.folder / "made").mkdir()
    (found.folder / "made/note").touch()
    return found


@pytest.fixture(scope="module")
def resources(project: Project) -> list[tuple[str | None, str, str, str]]:
    """The changes of the first run that a plan can predict."""
    made = project.folder / "made"
    return [
        ("store", "bucket", "data", "create"),
        ("store", "subnet", "net-a", "create"),
        ("store", "subnet", "net-b", "create"),
        ("store", "secret", "login", "create"),
        ("store", "directory", f"{made}/in", "create"),
        ("store", "directory", f"{made}/out", "create"),
        ("store", "file", f"{made}/password", "update"),
        (None, "file", f"{made}/note", "delete"),
    ]


@pytest.fixture(scope="module")
def plan(project: Project) -> Run:
    """The plan before anything exists."""
    return project.run({}, "--check")


@pytest.fixture(scope="module")
def first(project: Project, plan: Run) -> Run:
    """The run after that plan."""
    assert plan.plan["check"]
    return project.run({})


@pytest.fixture(scope="module")
def second(project: Project, first: Run) -> Run:
    """The second run, in which everything is unchanged."""
    assert not first.plan["check"]
    return project.run({"versioning": True, "zone": "a", "password": "hunter2"})


type Resources = list[tuple[str | None, str, str, str]]


def test_a_plan_names_what_would_change(plan: Run, project: Project, resources: Resources) -> None:
    assert plan.resources == resources
    assert "  store     would create  bucket data" in plan.lines
    assert f"  playbook  would delete  file {project.folder}/made/note" in plan.lines
    assert {change["seconds"] for change in plan.plan["changes"]} == {None}
    assert list(plan.plan["changes"][0]) == KEYS


def test_a_run_changes_what_the_plan_named(first: Run, resources: Resources) -> None:
    stated = [(None, "emulator", "0 one", "create"), (None, "command", "true", "update")]
    assert first.resources == resources + stated
    assert all(isinstance(change["seconds"], float) for change in first.plan["changes"])
    # The list has been shown line by line.
    assert not [line for line in first.lines if "would" in line or "PLAN" in line or "RECAP" in line]


def test_a_second_run_changes_nothing(second: Run) -> None:
    assert second.plan["changes"] == []
    # bucket, rule, two subnets, secret, two folders, the password; the emulator.
    assert second.plan["roles"] == {
        "store": {"create": 0, "update": 0, "replace": 0, "delete": 0, "unchanged": 8, "failed": 0},
        "playbook": {"create": 0, "update": 0, "replace": 0, "delete": 0, "unchanged": 1, "failed": 0},
    }


def test_totals_count_what_is_listed(first: Run) -> None:
    assert first.plan["roles"] == {
        "store": {"create": 6, "update": 1, "replace": 0, "delete": 0, "unchanged": 1, "failed": 0},
        "playbook": {"create": 1, "update": 1, "replace": 0, "delete": 1, "unchanged": 0, "failed": 0},
    }


def test_a_run_ends_with_its_totals_and_what_the_playbook_shows(
    project: Project, plan: Run, first: Run, second: Run
) -> None:
    assert plan.totals == "Plan: 6 to create, 1 to update, 1 to delete; 1 unchanged."
    assert first.totals == "Run: 7 created, 2 updated, 1 deleted; 1 unchanged."
    assert second.totals == "Run: 0 created, 0 updated, 0 deleted; 9 unchanged."
    assert f"Read {project.folder}/made/out." in first.lines


def test_a_diff_is_what_the_module_told(plan: Run, project: Project) -> None:
    bucket, file = plan.plan["changes"][0], plan.plan["changes"][4]
    assert bucket["module"] == "csv_to_aurora.aws.resource"
    assert bucket["diff"]["before"] == {}
    assert bucket["diff"]["after"] == {"versioning": True, "tags": 1}  # of two tasks
    # Files are always compared, but their content is shown only with --diff.
    assert file["diff"] is None
    asked = project.run({"versioning": False, "zone": "a"}, "--check", "--diff")
    assert asked.plan["changes"][0]["fields"] == ["versioning"]


def test_secrets_are_listed_by_name_alone(plan: Run, first: Run) -> None:
    for run in (plan, first):
        hidden = [change for change in run.plan["changes"] if change["name"].endswith(("password", "login"))]
        assert [(change["fields"], change["diff"]) for change in hidden] == [(None, None)] * 2
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
            pass  # how a terminal reports that its other end is closed
        os.close(controller)
    (line,) = [line for line in output.decode().splitlines() if "would delete" in line]
    assert "\x1b[" in line


def test_a_failure_is_counted_where_it_happened_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    run = Project(tmp_path, LOADING, {"loaded": BROKEN}).run({})
    assert run.returncode == 2
    assert run.plan["roles"]["loaded"]["failed"] == 1
    assert run.plan["totals"]["failed"] == 1
    assert run.plan["failures"] == [
        {
            "host": "localhost",
            "role": "loaded",
            "task": "Check each",
            "message": "Number 1 is wrong.\nNumber 3 is wrong.",
        }
    ]
    assert run.totals == "Run: 1 created, 0 updated, 0 deleted; 0 unchanged; 1 failed."
    assert "One or more items failed" not in run.output


def test_a_file_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    project = Project(tmp_path, REMOVING, {})
    settings = project.environment | {"ANSIBLE_RUN_SUMMARY_PLAN_FILE": str(tmp_path / "none" / "plan.json")}
    run = run_playbook(project.playbook, f"--extra-vars=folder={tmp_path}", **settings)
    assert run.returncode == 0
    assert "Give plan_file a path in a folder that exists" in " ".join((run.stdout + run.stderr).split())


def test_a_plan_has_the_fields_that_differ_and_where_a_run_would_stop(tmp_path: Path) -> None:
    run = Project(tmp_path, LOADING, {"loaded": DRIFTED}).run({}, "--check")
    assert run.returncode == 0
    bucket, instance = run.plan["changes"]
    assert bucket["fields"] == ["tags", "days", "rules", "text", "log"]
    assert instance["action"] == "replace"
    lines = [line.strip() for line in run.lines]
    start = lines.index("loaded  would update  bucket data")
    assert lines[start + 1 : start + 11] == [
        "tags.Team: red → blue",
        "tags.Old: 1 → none",
        "tags.New: none → 2",
        "days: 3 → 4",
        "rules: - a",
        "rules: + c",
        f"text: {'x' * 139}… → y",
        "log: a → b",
        "loaded  would replace instance app",
        "type: small → large",
    ]
    refusals = ["It would be replaced.", "It may not be replaced (1).\nIt may not be replaced (3)."]
    assert [refusal["message"] for refusal in run.plan["refusals"]] == refusals
    stop = lines.index("A run would stop here:")
    assert lines[stop + 1 : stop + 4] == [
        "loaded: It would be replaced.",
        "loaded: It may not be replaced (1).",
        "It may not be replaced (3).",
    ]
    assert run.totals == "Plan: 0 to create, 1 to update, 1 to replace, 0 to delete; 0 unchanged."


def test_a_playbook_can_show_another_plan_and_choose_the_exit_code(tmp_path: Path, plan: Run) -> None:
    assert plan.returncode == 0
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps({**plan.plan, "notes": ["Something holds."]}))
    steering = Project(tmp_path, STEERING, {})
    for command, code in (("true", 10), ("false", 2)):
        values = json.dumps({"plan": str(kept), "command": command})
        run = run_playbook(steering.playbook, f"--extra-vars={values}", **steering.environment)
        assert run.returncode == code, run.stdout + run.stderr
        assert "  store     would create  bucket data" in run.stdout
        assert run.stdout.splitlines()[-4:] == [
            "Something holds.",
            "",
            "Plan: 6 to create, 1 to update, 1 to delete; 1 unchanged.",
            "Go on.",
        ]
        assert "Traceback" not in run.stdout + run.stderr


NOTING = """
- name: Note
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Say what is known at first, and what to do next
      ansible.builtin.set_stats: {data: {run_summary: {notes: [A share holds.], show: [Go on.]}}}
    - name: Say what is known now
      ansible.builtin.set_stats: {data: {run_summary: {notes: [60 hold.]}}}
"""


def test_a_plan_has_the_notes_that_were_set_last(tmp_path: Path) -> None:
    noting = Project(tmp_path, NOTING, {})
    run = noting.run({}, "--check")
    assert run.plan["notes"] == ["60 hold."]
    totals = "Plan: 0 to create, 0 to update, 0 to delete; 0 unchanged."
    assert f"  Nothing would change.\n\n60 hold.\n\n{totals}\nGo on.\n" in run.output
    # A run shows what it did.
    run = noting.run({})
    assert "hold" not in run.output
    assert run.plan["notes"] == ["60 hold."]


@pytest.mark.parametrize(
    ("module", "arguments", "kind", "name", "action"),
    [
        ("ansible.builtin.apt", {"name": ["nginx"], "state": "present"}, "package", "nginx", "create"),
        ("ansible.builtin.apt", {"pkg": ["nginx", "curl"], "state": "absent"}, "package", "nginx, curl", "delete"),
        ("ansible.builtin.apt", {"name": "nginx", "state": "latest"}, "package", "nginx", "update"),
        ("ansible.builtin.apt", {"update_cache": True}, "package index", "", "update"),
        ("ansible.builtin.service", {"name": "nftables", "enabled": True}, "service", "nftables", "update"),
        ("ansible.builtin.user", {"name": "ada", "password": "hunter2"}, "user", "ada", "update"),
        ("ansible.builtin.template", {"src": "a.j2", "dest": "/etc/a/../b"}, "file", "/etc/b", "update"),
        ("ansible.builtin.lineinfile", {"path": "/etc/a", "line": "hunter2"}, "file", "/etc/a", "update"),
        ("ansible.mysql.mysql_user", {"name": "app", "password": "hunter2"}, "database user", "app", "update"),
        ("ansible.mysql.mysql_db", {"name": "shop"}, "database", "shop", "create"),
        ("ansible.mysql.mysql_db", {"name": "shop", "state": "absent"}, "database", "shop", "delete"),
        ("ansible.mysql.mysql_query", {"query": "CREATE TABLE IF NOT EXISTS `a` (b INT)"}, "table", "a", "create"),
        ("ansible.mysql.mysql_query", {"query": ["DELETE FROM a WHERE b = 'hunter2'"]}, "table", "a", "update"),
        ("ansible.mysql.mysql_query", {"query": "drop user 'ada'@'%'"}, "database user", "ada", "delete"),
        ("ansible.mysql.mysql_query", {"query": "ALTER USER %s IDENTIFIED BY %s"}, "database user", "", "update"),
        ("ansible.mysql.mysql_query", {"query": "SET PASSWORD = 'hunter2'"}, "SQL statement", "", "update"),
        (
            "amazon.aws.s3_object",
            {"bucket": "data", "object": "a.csv", "mode": "put"},
            "object",
            "data/a.csv",
            "create",
        ),
        ("ansible.builtin.command", {"cmd": "true", "creates": "/a/./b"}, "file", "/a/b", "create"),
        ("ansible.builtin.command", {"argv": ["/usr/bin/tool", "hunter2"]}, "command", "tool", "update"),
        ("ansible.builtin.shell", {"_raw_params": "TOKEN=hunter2 tool"}, "command", "", "update"),
        ("some.other.big_thing", {"name": "a", "secret": "hunter2"}, "big thing", "a", "update"),
        ("some.other.big_thing", {"name": "{{ never_filled_in }}"}, "big thing", "", "update"),
    ],
)
def test_a_module_tells_what_its_task_manages(
    module: str, arguments: dict[str, Any], kind: str, name: str, action: str
) -> None:
    task = SimpleNamespace(resolved_action=module, action=module, no_log=False)
    result: Any = SimpleNamespace(task=task, _task_fields={"args": arguments}, result={})
    found = subject_of(result)
    assert (found.kind, found.name) == (kind, name)
    assert (found.action or action_of(module, arguments, None)) == action
    assert found.is_known == (module in MANAGES and kind != "package index")


@pytest.mark.parametrize(
    ("actions", "action"),
    [
        (["create", "update"], "create"),
        (["update", "create"], "update"),
        (["update", "replace", "update"], "replace"),
        (["update", "delete"], "delete"),
        (["create", "delete"], "delete"),
        (["delete", "create"], "replace"),
    ],
)
def test_several_changes_of_a_resource_come_to_one(actions: list[str], action: str) -> None:
    assert reduce(merged, actions) == action


def test_a_statement_is_shown_whole_since_it_is_what_is_run() -> None:
    statement = f"ALTER TABLE t ADD COLUMN {'a' * 300} int NULL, ALGORITHM=INSTANT"
    assert difference("statements", [], [statement]) == [f"statements: + {statement}"]
    assert difference("others", [], [statement])[0].endswith("…")
