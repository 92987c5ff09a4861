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
    "README.md": (
        "```\nmake help\nansible-playbook playbooks/site.yml -i inventories/one\n```\n[One](docs/page.md#first-one)\n"
    ),
    "docs/page.md": """# A page

## First one

See [the store](../roles/store/README.md) and [above](#a-page), `make help name=x`, `roles/<role>/README.md`,
`group_vars/all/main.yml`, `wait.yml` and, after a run, bench/results/latest.json. Copy:
`cp -a inventories/one inventories/three`. Then there is inventories/three/hosts.yml.
""",
    ".gitignore": "/bench/results/\n",
    "Makefile": "help:\n\t@echo help\n",
    "group_vars/all/stack.yml": "project: sample\naws_region: eu-west-1\n",
    "inventories/one/hosts.yml": "all: {}\n",
    "inventories/one/group_vars/all/main.yml": "environment_name: one\n",
    "inventories/one/aws_ec2.yml": "plugin: csv_to_aurora.aws.aws_ec2\nregions: ['{{ aws_region }}']\n",
    "inventories/other/hosts.yml": "all: {}\n",
    "inventories/other/group_vars/all/main.yml": "environment_name: other\n",
    "inventories/other/aws_ec2.yml": "plugin: csv_to_aurora.aws.aws_ec2\nregions: ['{{ aws_region }}']\n",
    "collections/ansible_collections/csv_to_aurora/aws/meta/runtime.yml": """
action_groups:
  aws: [gather, resource, s3_bucket_purge, s3_lifecycle_rules]
  playbooks:
    - gather
    - resource
    - s3_lifecycle_rules
""",
    "playbooks/site.yml": "- name: Provide\n  ansible.builtin.import_playbook: provision.yml\n",
    "playbooks/provision.yml": """
- name: Provision
  hosts: all
  module_defaults:
    group/csv_to_aurora.aws.aws: "{{ aws_connection }}"
  roles:
    - role: store
""",
    "playbooks/tasks/wait.yml": "- name: wait | Wait\n  ansible.builtin.pause:\n    seconds: 1\n",
    "tests/one/test_a.py": "",
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
      store_state: {description: What to do., type: str, choices: [present, absent, gathered], default: present}
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
    "roles/store/tasks/main.yml": "- name: Gather\n  ansible.builtin.import_tasks: gather.yml\n",
    "roles/store/tasks/gather.yml": """
- name: gather | Gather information
  csv_to_aurora.aws.gather:
    modules:
      bucket:
        amazon.aws.s3_bucket_info:
          name: "{{ store_name }}"
      group:
        amazon.aws.rds_subnet_group:
          name: "{{ store_name }}"
          state: absent
        when: store_name is truthy
  register: __store_info
- name: gather | Set the outputs
  ansible.builtin.set_fact:
    store_outputs: "{{ __store_info.bucket }}"
""",
    "roles/store/tasks/present.yml": """
- name: present | Create or update the bucket
  csv_to_aurora.aws.resource:
    kind: bucket
    name: "{{ store_name }}"
    current: {}
    desired: {}
    apply:
      - amazon.aws.s3_bucket:
          name: "{{ store_name }}"
        when: action == 'create'
- name: present | Set the rules
  csv_to_aurora.aws.s3_lifecycle_rules:
    name: "{{ store_name }}"
  loop: "{{ store_rules }}"
  loop_control:
    label: "{{ item.port }}"
- name: present | Create a secret
  no_log: true
  block:
    - name: present | Generate
      ansible.builtin.set_fact:
        __store_password: "{{ lookup('ansible.builtin.password', '/dev/null') }}"
""",
    "roles/store/handlers/main.yml": "- name: Gather\n  ansible.builtin.include_tasks: gather.yml\n",
    "roles/store/tasks/absent.yml": """
- name: absent | Remove the bucket
  csv_to_aurora.aws.resource:
    kind: bucket
    name: "{{ store_name }}"
    current: {}
    desired: {}
    remove:
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
    "roles/client/tasks/main.yml": "- name: Install\n  ansible.builtin.package:\n    name: client\n",
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


def create(path: str) -> Break:
    def break_it(root: Path) -> None:
        (root / path).parent.mkdir(parents=True)
        (root / path).touch()

    return break_it


def remove(path: str) -> Break:
    return lambda root: (root / path).unlink()


def task(body: str, path: str = "roles/store/tasks/present.yml") -> Break:
    return append(path, f"- name: present | Break\n{body}")


def overridden(local: str, stage: str = "", provision: str = "role: store") -> Break:
    """Set variables in inventories/local, and in the extra variables of the tests with the other inventories."""

    def break_it(root: Path) -> None:
        for path, text in ((repository.LOCAL, local), (repository.STAGE, stage)):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        replace("playbooks/provision.yml", "role: store", provision)(root)

    return break_it


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
    ("aws_roles_have_all_states", remove("roles/store/tasks/gather.yml"), "store/tasks/gather.yml: missing"),
    ("aws_roles_have_all_states", replace(SPECS, ", gathered]", "]"), "store_state lacks gathered"),
    (
        "aws_roles_have_all_states",
        replace("roles/store/tasks/gather.yml", "store_outputs:", "store_found:"),
        "store_outputs",
    ),
    (
        "what_is_created_is_destroyed",
        task("  community.aws.sqs_queue:\n    name: a\n"),
        "'present | Break' creates with community.aws.sqs_queue",
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
    ("roles_of_aws_warn", task("  ansible.builtin.debug:\n    msg: a\n"), "'present | Break' is not seen in a plan"),
    (
        "gathering_is_read_only",
        task("  amazon.aws.rds_subnet_group:\n    name: a\n", "roles/store/tasks/gather.yml"),
        "amazon.aws.rds_subnet_group, which can write",
    ),
    ("loops_have_labels", task("  ansible.builtin.debug:\n  loop: []\n"), "'present | Break'"),
    ("loops_have_labels", task("  ansible.builtin.debug:\n  with_items: []\n"), "'present | Break'"),
    ("secrets_are_not_logged", replace(PRESENT, "no_log: true", "no_log: false"), "'__store_password'"),
    (
        "secrets_are_not_logged",
        task("  ansible.mysql.mysql_user:\n    login_password: a\n"),
        "'present | Break' touches 'login_password'",
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
    (
        "the_group_of_the_playbooks_is_complete",
        task("  amazon.aws.ec2_key:\n    name: a\n"),
        "the group playbooks lacks amazon.aws.ec2_key",
    ),
    (
        "the_group_of_the_playbooks_is_complete",
        append("collections/ansible_collections/csv_to_aurora/aws/meta/runtime.yml", "    - amazon.aws.ec2_vpc_net\n"),
        "has amazon.aws.ec2_vpc_net, which no playbook",
    ),
    (
        "imported_roles_have_no_condition",
        append(
            "playbooks/provision.yml",
            "  tasks:\n    - name: Store\n      ansible.builtin.import_role: {name: store}\n      when: false\n",
        ),
        "'Store' imports a role that has handlers",
    ),
    ("inventories_are_whole", remove("inventories/one/hosts.yml"), "inventories/one/hosts.yml: missing"),
    ("inventories_are_whole", remove("inventories/one/group_vars/all/00_common"), "00_common: no link"),
    (
        "inventories_are_whole",
        replace("inventories/one/aws_ec2.yml", "{{ aws_region }}", "us-east-1"),
        "aws_ec2.yml differs between inventories/one and inventories/other",
    ),
    (
        "inventories_are_whole",
        replace("inventories/one/group_vars/all/main.yml", "one", "two"),
        "environment_name is 'two'",
    ),
    (
        "what_the_local_cloud_overrides_is_run_elsewhere",
        overridden("aws_region: a\n", stage="aws_region: b\n"),
        "aws_region is overridden and no test runs it otherwise",
    ),
    (
        "what_the_local_cloud_overrides_is_run_elsewhere",
        overridden("store_rules: []\n", provision="role: client"),
        "store_rules is overridden and no test runs it otherwise",
    ),
    (
        "what_the_local_cloud_overrides_is_run_elsewhere",
        overridden("aws_region: a\n"),
        "aws_profile is not overridden",
    ),
    (
        "what_the_local_cloud_overrides_is_run_elsewhere",
        overridden("aws_region: a\n", stage="aws_profile: b\n"),
        "tests/e2e/test_stage.py does not run aws_profile",
    ),
    ("files_know_no_machine", append("Makefile", "a:\n\tcat /root/.aws\n"), "Makefile:4: '/root'"),
    ("files_know_no_machine", append("Makefile", "a:\n\tcd /work/main\n"), "'/work'"),
    ("files_know_no_machine", append("README.md", "`/home/someone/keys`\n"), "'/home/someone'"),
    ("files_know_no_machine", append("README.md", "pip install --index-url x\n"), "--index-url"),
    ("files_know_no_machine", append("README.md", "https://mirror.example.com/simple\n"), "mirror"),
    ("documents_name_what_exists", append("README.md", "\nRun `make local test`.\n"), "'make local' has no target"),
    ("documents_name_what_exists", append("README.md", "```\nmake hlep now=1\n```\n"), "'make hlep' has no target"),
    ("documents_name_what_exists", append("README.md", "`playbooks/load.yml`"), "there is no playbooks/load.yml"),
    ("documents_name_what_exists", append("README.md", "`-i inventories/two`"), "there is no inventories/two"),
    ("documents_name_what_exists", append("docs/page.md", "The role roles/stor."), "there is no roles/stor."),
    ("documents_name_what_exists", append("docs/page.md", "`reload.yml`"), "there is no file reload.yml"),
    ("documents_name_what_exists", remove("Makefile"), "Makefile: missing"),
    ("links_lead_to_files", append("docs/page.md", "[a](../roles/stor/README.md)"), "stor/README.md leads nowhere"),
    ("links_lead_to_files", append("docs/page.md", "[a](#the-end)"), "#the-end has an anchor that is no heading"),
    ("links_lead_to_files", append("README.md", "[a](docs/page.md#first-on)"), "docs/page.md#first-on has an anchor"),
    (
        "what_is_created_is_destroyed",
        task("  csv_to_aurora.aws.resource:\n    apply: [{amazon.aws.ec2_key: {name: a}}]\n"),
        "'present | Break' creates with amazon.aws.ec2_key",
    ),
    ("tasks_are_short", task("  ansible.builtin.debug:\n    msg:\n" + 24 * "      - a\n"), "a task of 27 lines"),
    (
        "tasks_are_short",
        task('  ansible.builtin.debug:\n    msg: "{{ [1,\n      2,\n      3,\n      4] }}"\n'),
        "a template of 4 lines",
    ),
    ("words_are_those_of_the_field", append("README.md", "It is mended.\n"), "'mended', say: update"),
    ("task_names_begin_as_in_the_field", replace(PRESENT, "| Generate", "| Make it"), "'Make it' begins with 'Make'"),
    (
        "words_are_those_of_the_field",
        task("  # Look the bucket up\n  ansible.builtin.debug:\n"),
        "'Look the bucket up'",
    ),
    (
        "options_of_nested_modules_exist",
        replace(
            PRESENT, "      - amazon.aws.s3_bucket:\n          name:", "      - amazon.aws.s3_bucket:\n          nmae:"
        ),
        "the option 'nmae'",
    ),
    (
        "check_mode_is_the_actions_business",
        task("  ansible.builtin.debug:\n  when: not ansible_check_mode\n"),
        "'present | Break' reads ansible_check_mode in 'when'",
    ),
    (
        "test_files_have_names_of_their_own",
        create("tests/two/test_a.py"),
        "tests/one/test_a.py and tests/two/test_a.py",
    ),
    ("roles_have_scenarios", remove("molecule/client/molecule.yml"), "molecule/client/molecule.yml: missing"),
]
TABLES = ("NO_AWS_ROLES", "NO_SCENARIO", "NO_SECRET_LEFT", "MACHINE_PATH_EXCEPTIONS", "WORD_EXCEPTIONS")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for table in TABLES:
        monkeypatch.setattr(repository, table, {})
    for name, content in HEALTHY.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    for inventory in ("one", "other"):
        (tmp_path / f"inventories/{inventory}/group_vars/all/00_common").symlink_to("../../../../group_vars/all")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert role_readmes.main(["--roles", str(tmp_path / "roles")]) == 0
    return tmp_path


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_healthy_repository_keeps_the_rule(rule: Rule, root: Path) -> None:
    assert rule(root) == []


@pytest.mark.parametrize(("rule", "break_it", "violation"), BREAKS, ids=[f"{rule}-{text}" for rule, _, text in BREAKS])
def test_a_broken_repository_does_not(rule: str, break_it: Break, violation: str, root: Path) -> None:
    break_it(root)
    found = {candidate.__name__: candidate for candidate in RULES}[rule](root)
    assert any(violation in text for text in found), found


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
