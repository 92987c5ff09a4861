"""Each rule of repository.py finds what it is for: a small repository that keeps them all is broken in one place."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import repository
import role_readmes
from repository import RULES, Rule

HEALTHY = {
    "README.md": "```\nmake help\nansible-playbook playbooks/site.yml -i inventories/one\n```\n",
    "Makefile": "help:\n\t@echo help\n",
    "group_vars/all.yml": "project: sample\naws_region: eu-west-1\n",
    "inventories/one/hosts.yml": "all: {}\n",
    "inventories/one/group_vars/all/main.yml": "environment_name: one\n",
    "inventories/one/aws_ec2.yml": (
        "plugin: amazon.aws.aws_ec2\nregions: [eu-west-1]\nfilters: {'tag:Project': sample, 'tag:Environment': one}\n"
    ),
    "collections/ansible_collections/csv_to_aurora/aws/meta/runtime.yml": "action_groups:\n  aws: [s3_bucket_purge]\n",
    "playbooks/site.yml": "- name: Provide\n  ansible.builtin.import_playbook: provision.yml\n",
    "playbooks/provision.yml": """
- name: Provision
  hosts: all
  module_defaults:
    group/csv_to_aurora.aws.aws: "{{ aws_connection }}"
  roles:
    - role: store
""",
    "playbooks/tasks/wait.yml": "- name: Wait\n  ansible.builtin.pause:\n    seconds: 1\n",
    "molecule/store/molecule.yml": "---\n",
    "molecule/client/molecule.yml": "---\n",
    "roles/store/README.md": "# store\n\n<!-- arguments -->\n<!-- /arguments -->\n",
    "roles/store/meta/main.yml": "dependencies: []\n",
    "roles/store/meta/argument_specs.yml": """
argument_specs:
  main:
    short_description: A store
    description: A store, with C(store_outputs).
    options:
      store_state: {description: What to do., type: str, choices: [present, absent, discover], default: present}
      store_name: {description: Its name., type: str, required: true}
      store_rules:
        description: Its rules.
        type: list
        elements: dict
        default: []
        options:
          port: {description: A port., type: int}
""",
    "roles/store/defaults/main.yml": "store_state: present\nstore_rules: []\n",
    "roles/store/vars/main.yml": "__store_kind: store\n",
    "roles/store/tasks/main.yml": "- name: Main | Look\n  ansible.builtin.import_tasks: discover.yml\n",
    "roles/store/tasks/discover.yml": """
- name: Discover | Look
  amazon.aws.s3_bucket_info:
    name: "{{ store_name }}"
  register: __store_info
- name: Discover | Look by asking for absence
  amazon.aws.rds_subnet_group:
    name: "{{ store_name }}"
    state: absent
  check_mode: true
- name: Discover | Keep
  ansible.builtin.set_fact:
    store_outputs: "{{ __store_info.buckets }}"
""",
    "roles/store/tasks/present.yml": """
- name: Present | Create {{ store_name }}
  amazon.aws.s3_bucket:
    name: "{{ store_name }}"
  when: not ansible_check_mode
- name: Present | Set the rules
  community.aws.s3_lifecycle:
    name: "{{ store_name }}"
  loop: "{{ store_rules }}"
  loop_control:
    label: "{{ item.port }}"
- name: Present | Make a secret
  no_log: true
  block:
    - name: Present | Generate
      ansible.builtin.set_fact:
        __store_password: "{{ lookup('ansible.builtin.password', '/dev/null') }}"
""",
    "roles/store/tasks/absent.yml": """
- name: Absent | Remove
  amazon.aws.s3_bucket:
    name: "{{ store_name }}"
    state: absent
""",
    "roles/client/README.md": "# client\n\n<!-- arguments -->\n<!-- /arguments -->\n",
    "roles/client/meta/main.yml": "dependencies: []\n",
    "roles/client/meta/argument_specs.yml": """
argument_specs:
  main: {short_description: A client, description: A client.}
""",
    "roles/client/tasks/main.yml": "- name: Main | Install\n  ansible.builtin.package:\n    name: client\n",
    "roles/client/templates/client.cnf.j2": "user={{ client_user }}\n",
}

Break = Callable[[Path], None]


def append(path: str, text: str) -> Break:
    def break_it(root: Path) -> None:
        with (root / path).open("a", encoding="utf-8") as file:
            file.write(text)

    return break_it


def replace(path: str, old: str, new: str) -> Break:
    def break_it(root: Path) -> None:
        text = (root / path).read_text(encoding="utf-8")
        assert old in text
        (root / path).write_text(text.replace(old, new), encoding="utf-8")

    return break_it


def remove(path: str) -> Break:
    return lambda root: (root / path).unlink()


def task(body: str, path: str = "roles/store/tasks/present.yml") -> Break:
    return append(path, f"- name: Present | Break\n{body}")


SPECS, PRESENT = "roles/store/meta/argument_specs.yml", "roles/store/tasks/present.yml"

BREAKS: list[tuple[str, Break, str]] = [
    ("roles_are_complete", remove("roles/client/README.md"), "client/README.md: missing"),
    ("roles_are_complete", remove("roles/client/meta/argument_specs.yml"), "client/meta/argument_specs.yml: missing"),
    ("defaults_agree_with_argument_specs", append("roles/store/defaults/main.yml", "store_size: 1\n"), "'store_size'"),
    ("defaults_agree_with_argument_specs", replace(SPECS, "default: present", "default: absent"), "'absent'"),
    ("defaults_agree_with_argument_specs", replace(SPECS, "default: []", "default: [1]"), "'store_rules'"),
    ("defaults_agree_with_argument_specs", append("roles/store/defaults/main.yml", "store_name: a\n"), "is required"),
    ("defaults_agree_with_argument_specs", replace(SPECS, ", required: true", ", default: a"), "lacks"),
    ("options_are_described", replace(SPECS, "description: Its name., ", ""), "'store_name' has no description"),
    ("options_are_described", replace(SPECS, "port: {description: A port., ", "port: {"), "'store_rules.port'"),
    ("options_are_described", replace(SPECS, "A port., type: int", "A port."), "'store_rules.port' has no type"),
    ("options_are_described", replace(SPECS, "short_description: A store", ""), "main has no short_description"),
    ("entry_points_have_tasks", append(SPECS, "  open: {}\n"), "tasks/open.yml"),
    ("readmes_are_generated", replace("roles/store/README.md", "Its name.", "Its title."), "role_readmes.py store"),
    ("readmes_are_generated", replace("roles/store/README.md", "<!-- /arguments -->", ""), "store/README.md"),
    ("variables_carry_their_roles_name", append("roles/store/defaults/main.yml", "size: 1\n"), "'size'"),
    ("variables_carry_their_roles_name", append("roles/store/defaults/main.yml", "__store_size: 1\n"), "defaults"),
    ("variables_carry_their_roles_name", append("roles/store/vars/main.yml", "kind: 1\n"), "vars 'kind'"),
    ("variables_carry_their_roles_name", replace(PRESENT, "__store_password", "password"), "set_fact 'password'"),
    (
        "variables_carry_their_roles_name",
        task("  ansible.builtin.command: 'true'\n  register: store_made\n"),
        "register 'store_made'",
    ),
    (
        "variables_carry_their_roles_name",
        task("  ansible.builtin.debug:\n  vars:\n    client_name: 1\n"),
        "vars 'client_name'",
    ),
    (
        "variables_carry_their_roles_name",
        task("  ansible.builtin.debug:\n  loop_control:\n    loop_var: rule\n"),
        "loop_var 'rule'",
    ),
    (
        "no_role_reads_anothers_variables",
        append("roles/store/vars/main.yml", '__store_a: "{{ client_user }}"\n'),
        "vars",
    ),
    (
        "no_role_reads_anothers_variables",
        append("roles/client/templates/client.cnf.j2", "{{ store_outputs.name }}"),
        "'store_outputs'",
    ),
    (
        "no_role_reads_anothers_variables",
        append("roles/client/tasks/main.yml", "  when: __store_info is changed\n"),
        "'__store_info'",
    ),
    ("aws_roles_have_all_states", remove("roles/store/tasks/discover.yml"), "store/tasks/discover.yml: missing"),
    ("aws_roles_have_all_states", replace(SPECS, ", discover]", "]"), "store_state lacks discover"),
    (
        "aws_roles_have_all_states",
        replace("roles/store/tasks/discover.yml", "store_outputs:", "store_found:"),
        "store_outputs",
    ),
    (
        "what_is_created_is_destroyed",
        task("  community.aws.sqs_queue:\n    name: a\n"),
        "'Present | Break' creates with community.aws.sqs_queue",
    ),
    (
        "what_is_created_is_destroyed",
        replace("roles/store/tasks/absent.yml", "amazon.aws.s3_bucket:", "amazon.aws.s3_object:"),
        "nor is amazon.aws.s3_bucket",
    ),
    (
        "what_is_created_is_destroyed",
        replace("roles/store/tasks/absent.yml", "state: absent", "state: present"),
        "amazon.aws.s3_bucket",
    ),
    (
        "discovery_is_read_only",
        replace("roles/store/tasks/discover.yml", "check_mode: true", "check_mode: false"),
        "amazon.aws.rds_subnet_group, which can write",
    ),
    ("modules_have_full_names", task("  s3_bucket:\n    name: a\n"), "'s3_bucket'"),
    ("modules_have_full_names", append("playbooks/tasks/wait.yml", "- debug:\n"), "'debug'"),
    ("modules_have_full_names", append("playbooks/provision.yml", "  tasks:\n    - debug:\n"), "'debug'"),
    ("tasks_are_named_after_their_file", replace(PRESENT, "Present | Set", "Absent | Set"), "'Absent | Set the rules'"),
    ("tasks_are_named_after_their_file", replace(PRESENT, "| Set", "| {{ set }}"), "the rules"),
    ("tasks_are_named_after_their_file", replace(PRESENT, "Present | Generate", "Present | generate"), "generate"),
    ("loops_have_labels", task("  ansible.builtin.debug:\n  loop: []\n"), "'Present | Break'"),
    ("loops_have_labels", task("  ansible.builtin.debug:\n  with_items: []\n"), "'Present | Break'"),
    ("secrets_are_not_logged", replace(PRESENT, "no_log: true", "no_log: false"), "'__store_password'"),
    (
        "secrets_are_not_logged",
        task("  ansible.mysql.mysql_user:\n    login_password: a\n"),
        "'Present | Break' touches 'login_password'",
    ),
    (
        "secrets_are_not_logged",
        task("  ansible.builtin.debug:\n    msg: \"{{ store_outputs['secret_value'] }}\"\n"),
        "'secret_value'",
    ),
    (
        "secrets_are_not_logged",
        task("  ansible.builtin.assert:\n    that: store_token == 1\n"),
        "'store_token'",
    ),
    ("plays_hand_over_the_connection", replace("playbooks/site.yml", "provision.yml", "missing.yml"), "missing.yml"),
    ("plays_hand_over_the_connection", replace("playbooks/provision.yml", "aws_connection", "aws"), "'Provision'"),
    ("plays_hand_over_the_connection", replace("playbooks/provision.yml", "module_defaults", "vars"), "'Provision'"),
    (
        "plays_hand_over_the_connection",
        append(
            "playbooks/provision.yml",
            "- name: Purge\n  hosts: all\n  tasks:\n    - csv_to_aurora.aws.s3_bucket_purge:\n",
        ),
        "'Purge'",
    ),
    ("inventories_are_whole", remove("inventories/one/hosts.yml"), "inventories/one/hosts.yml: missing"),
    ("inventories_are_whole", remove("inventories/one/group_vars/all/00_common.yml"), "00_common.yml: no link"),
    ("inventories_are_whole", replace("inventories/one/aws_ec2.yml", "eu-west-1", "us-east-1"), "regions"),
    ("inventories_are_whole", replace("inventories/one/aws_ec2.yml", "sample", "other"), "tag:Project"),
    ("inventories_are_whole", replace("inventories/one/aws_ec2.yml", "one}", "two}"), "tag:Environment"),
    (
        "inventories_are_whole",
        replace("inventories/one/group_vars/all/main.yml", "one", "two"),
        "environment_name is 'two'",
    ),
    ("files_know_no_machine", append("Makefile", "a:\n\tcat /root/.aws\n"), "Makefile:4: '/root'"),
    ("files_know_no_machine", append("Makefile", "a:\n\tcd /work/main\n"), "'/work'"),
    ("files_know_no_machine", append("README.md", "`/home/someone/keys`\n"), "'/home/someone'"),
    ("files_know_no_machine", append("README.md", "pip install --index-url x\n"), "--index-url"),
    ("files_know_no_machine", append("README.md", "https://mirror.example.com/simple\n"), "mirror"),
    ("readme_commands_exist", append("README.md", "\nRun `make local test`.\n"), "'make local' has no target"),
    ("readme_commands_exist", append("README.md", "`playbooks/load.yml`"), "there is no playbooks/load.yml"),
    ("readme_commands_exist", append("README.md", "`-i inventories/two`"), "there is no inventories/two"),
    ("readme_commands_exist", remove("Makefile"), "Makefile: missing"),
    ("roles_have_scenarios", remove("molecule/client/molecule.yml"), "molecule/client/molecule.yml: missing"),
]
TABLES = ("NO_AWS_ROLES", "NO_SCENARIO", "NO_SECRET_LEFT", "MACHINE_PATH_EXCEPTIONS")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for table in TABLES:
        monkeypatch.setattr(repository, table, {})
    for name, content in HEALTHY.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    (tmp_path / "inventories/one/group_vars/all/00_common.yml").symlink_to("../../../../group_vars/all.yml")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert role_readmes.main(["--roles", str(tmp_path / "roles")]) == 0
    return tmp_path


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_healthy_repository_keeps_the_rule(rule: Rule, root: Path) -> None:
    assert rule(root) == []


@pytest.mark.parametrize(("rule", "break_it", "breach"), BREAKS, ids=[f"{rule}-{text}" for rule, _, text in BREAKS])
def test_a_broken_repository_does_not(rule: str, break_it: Break, breach: str, root: Path) -> None:
    break_it(root)
    found = {candidate.__name__: candidate for candidate in RULES}[rule](root)
    assert any(breach in text for text in found), found


@pytest.mark.parametrize("table", TABLES)
def test_an_exception_of_nothing_is_found(table: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, table, {"gone": "a reason"})
    found = repository.exceptions_are_of_something(root)
    assert len(found) == 1
    assert table in found[0]
    assert "gone" in found[0]


def test_every_rule_is_seen_to_fail() -> None:
    proven = {rule for rule, _, _ in BREAKS} | {"exceptions_are_of_something"}
    assert {rule.__name__ for rule in RULES} == proven
