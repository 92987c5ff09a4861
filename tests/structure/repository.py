"""The rules that the repository's files keep, each a function from the project's root to a list of violations.

A violation is one sentence that begins with the name of the file. test_structure.py applies the rules to this
repository, test_rules.py to small broken ones.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import jinja2.nodes
import role_readmes
import yaml

PROJECT = Path(__file__).resolve().parents[2]
Rule = Callable[[Path], list[str]]
RULES: list[Rule] = []

AWS_COLLECTIONS = ("amazon.aws.", "community.aws.", "csv_to_aurora.aws.")

# Roles that call AWS and yet are none that a play wires: no states, no connection; each with its reason.
NO_AWS_ROLES: dict[str, str] = {
    "local_cloud": "starts the emulator and creates the first user in it; all of it ends with the emulator",
}

# Resources that no absent.yml names, since another resource takes them along: module → (module, reason).
DELETED_WITH: dict[str, tuple[str, str]] = {
    "amazon.aws.s3_object": ("amazon.aws.s3_bucket", "a bucket is emptied before it is deleted"),
    "amazon.aws.s3_bucket_notification": ("amazon.aws.s3_bucket", "the notification is a setting of the bucket"),
    "csv_to_aurora.aws.s3_lifecycle_rules": ("amazon.aws.s3_bucket", "the rules are a setting of the bucket"),
    "community.aws.s3_logging": ("amazon.aws.s3_bucket", "logging is a setting of the bucket"),
    "amazon.aws.iam_policy": ("amazon.aws.iam_role", "inline policies are part of the role"),
    "amazon.aws.lambda_policy": ("amazon.aws.lambda", "the permissions are part of the function"),
    "csv_to_aurora.aws.lambda_invocation_config": ("amazon.aws.lambda", "settings of the function"),
    "csv_to_aurora.aws.sns_subscription": (
        "csv_to_aurora.aws.sns_topic",
        "SNS deletes a topic's subscriptions with it",
    ),
    "csv_to_aurora.aws.rds_cluster_modify": ("amazon.aws.rds_cluster", "settings of the cluster"),
    "csv_to_aurora.aws.rds_cluster_parameters": ("amazon.aws.rds_cluster_param_group", "parameters of the group"),
}

# Modules that create nothing that outlives the task.
NOTHING_TO_DESTROY: dict[str, str] = {
    "csv_to_aurora.aws.lambda_versions_purge": "it only deletes",
    "amazon.aws.ec2_tag": "tags go with what they are on",
    "amazon.aws.rds_cluster_snapshot": "a final snapshot is there to stay",
    "csv_to_aurora.aws.gather": "only reads",
    "csv_to_aurora.aws.resource": "the modules that it runs are checked themselves",
    "csv_to_aurora.aws.wait_for": "only reads",
    "csv_to_aurora.aws.warn": "only warns",
    "csv_to_aurora.aws.s3_bucket_purge": "only deletes",
    "csv_to_aurora.aws.sqs_message": "a message goes with its queue",
}

# Roles without a molecule scenario of their own; each with its reason.
NO_SCENARIO: dict[str, str] = {
    "local_cloud": "the end-to-end test starts it, uses it and stops it",
    "preflight": "tests/preflight runs it with every kind of wrong input",
}

# Tasks that take a secret in and let none out; each with its reason.
NO_SECRET_LEFT: dict[str, str] = {
    "roles/database/tasks/present.yml: present | Create or update the cluster": (
        "the password is read only while it is applied, and the module hides its option"
    ),
    "roles/database/tasks/secrets.yml: secrets | Create or update the secrets": (
        "the same; of a password it compares and shows whether there is one"
    ),
    "playbooks/tasks/ledger_rows.yml: ledger_rows | Read the ledger": (
        "the module hides its password by itself, and what else it says is to be read"
    ),
}

# Files that may name what looks like a path of one machine; each with its reason.
MACHINE_PATH_EXCEPTIONS: dict[str, str] = {
    "tests/structure/repository.py": "holds the pattern",
    "tests/structure/test_rules.py": "breaks the rule on purpose",
    "roles/local_cloud/files/database/passwd": "the accounts inside a container image",
}

_TASK_KEYWORDS = frozenset(
    # One line to read; as a list it would be a page.
    """any_errors_fatal args async become become_exe become_flags become_method become_user changed_when check_mode
    collections connection debugger delay delegate_facts delegate_to diff environment failed_when ignore_errors
    ignore_unreachable listen loop loop_control module_defaults name no_log notify poll port register remote_user
    retries run_once tags throttle timeout until vars when block rescue always""".split()  # noqa: SIM905
)
# Keywords whose value is an expression without braces.
_BARE_EXPRESSIONS = frozenset(("when", "until", "changed_when", "failed_when", "that"))
_SECRET_NAME = re.compile(r"(?:^|_)(?:passwords?|secret_strings?|secret_values?|credentials|secret_access_key|token)$")
# Options of modules that end like a secret and say how to treat it.
_NO_SECRETS = frozenset(("update_password", "manage_master_user_password", "random_password"))
_MACHINE_PATH = re.compile(r"(?<![\w.}~-])/(?:work|root|home/(?!admin\b|ubuntu\b)\w+|Users/\w+)\b")
_INDEX_ADDRESS = re.compile(
    r"--(?:extra-)?index-url|--trusted-host|PIP_INDEX_URL|UV_INDEX|npm_config_registry"
    r"|https?://[^\s/\"']*(?:artifactory|nexus|mirror|devpi|proxy)[^\s\"']*",
    re.IGNORECASE,
)
_LINKED_GROUP_VARS = ("all", "app_hosts.yml")


def rule(function: Rule) -> Rule:
    """Add the function to RULES."""
    RULES.append(function)
    return function


class _Loader(yaml.SafeLoader):
    """Reads Ansible's YAML, whose tags are of no interest here."""


_Loader.add_multi_constructor("!", lambda loader, _suffix, node: loader.construct_scalar(node))


def load(path: Path) -> Any:
    """Return a YAML file's content."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506  # derives from SafeLoader


def roles(root: Path) -> list[Path]:
    """Return the roles' folders."""
    return sorted(path for path in (root / "roles").iterdir() if (path / "tasks").is_dir())


def playbooks(root: Path) -> list[Path]:
    """Return the playbooks."""
    return sorted((root / "playbooks").glob("*.yml"))


def tracked_files(root: Path) -> list[Path]:
    """Return the files that git has or would take, without links."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
    )
    paths = [root / name for name in os.fsdecode(listed.stdout).split("\0") if name]
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


@dataclass(frozen=True)
class Task:
    """A task as written.

    Attributes:
        path: The file.
        data: The task's keywords.
        no_log: The task's own or its block's; None where neither says anything.
    """

    path: Path
    data: dict[str, Any]
    no_log: Any

    @property
    def name(self) -> str:
        """Its name, or the module where it has none."""
        return str(self.data.get("name", self.module))

    @property
    def module(self) -> str:
        """The module or action as written."""
        return next((key for key in self.data if key not in _TASK_KEYWORDS and not key.startswith("with_")), "")

    @property
    def arguments(self) -> dict[str, Any]:
        """The module's arguments; empty where they are given as free text."""
        found = self.data.get(self.module)
        return found if isinstance(found, dict) else {}

    @property
    def nested(self) -> list[Task]:
        """The modules that an action of this project runs, each as a task of its own with the options that it gives."""
        return [
            Task(self.path, {"name": self.name, module: arguments}, self.no_log)
            for option in RUN_BY.get(self.module, ())
            for module, arguments in _modules_in(self.arguments.get(option))
        ]

    @property
    def state(self) -> str:
        """The module's state as written, possibly a template."""
        return str(self.arguments.get("state", ""))


# The options that name the modules which an action of this project runs.
RUN_BY: dict[str, tuple[str, ...]] = {
    "csv_to_aurora.aws.gather": ("modules",),
    "csv_to_aurora.aws.resource": ("apply", "create", "update", "remove"),
    "csv_to_aurora.aws.wait_for": ("module",),
}


def _modules_in(value: object) -> Iterator[tuple[str, object]]:
    """Yield the modules, by their full names, and their options, at any depth of an option of such an action."""
    if isinstance(value, list):
        for entry in value:
            yield from _modules_in(entry)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if str(key).count(".") >= 2:
                yield str(key), inner
            else:
                yield from _modules_in(inner)


def tasks_in(path: Path, data: object, no_log: object = None) -> Iterator[Task]:
    """Yield the tasks of a list, those in blocks included."""
    for item in data if isinstance(data, list) else []:
        own = item.get("no_log", no_log)
        if "block" in item:
            for part in ("block", "rescue", "always"):
                yield from tasks_in(path, item.get(part), own)
        else:
            yield Task(path, item, own)


def role_tasks(role: Path) -> list[Task]:
    """Return all tasks and handlers of a role."""
    files = [path for folder in ("tasks", "handlers") for path in sorted((role / folder).rglob("*.yml"))]
    return [task for path in files for task in tasks_in(path, load(path))]


def play_tasks(path: Path, play: Mapping[str, Any]) -> list[Task]:
    """Return the tasks that a play has itself."""
    return [
        task for part in ("pre_tasks", "tasks", "post_tasks", "handlers") for task in tasks_in(path, play.get(part))
    ]


def expressions(value: object, *, bare: bool = False) -> Iterator[str]:
    """Yield the templates in a value of a YAML file, bare expressions in braces."""
    if isinstance(value, str):
        if "{{" in value or "{%" in value:
            yield value
        elif bare:
            yield "{{ " + value + " }}"
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from expressions(key)
            yield from expressions(inner, bare=bare or key in _BARE_EXPRESSIONS)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner, bare=bare)


def names_read(template: str) -> tuple[set[str], set[str]]:
    """Return the variables that a template reads, and the attributes and keys that it takes of anything."""
    tree = jinja2.Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"], autoescape=True).parse(template)
    found = list(tree.find_all(jinja2.nodes.Name))
    stored = {node.name for node in found if node.ctx != "load"}
    attributes = {node.attr for node in tree.find_all(jinja2.nodes.Getattr)}
    for item in tree.find_all(jinja2.nodes.Getitem):
        if isinstance(item.arg, jinja2.nodes.Const) and isinstance(item.arg.value, str):
            attributes.add(item.arg.value)
    return {node.name for node in found} - stored, attributes


def is_role_of_aws(role: Path) -> bool:
    """Say whether a role creates something in the account."""
    return role.name not in NO_AWS_ROLES and any(is_aws_write(task.module) for task in _tasks_and_nested(role))


def _tasks_and_nested(role: Path) -> list[Task]:
    """Return all tasks of a role, and what its actions run, each as a task."""
    return [one for task in role_tasks(role) for one in (task, *task.nested)]


def is_aws_write(module: str) -> bool:
    """Say whether a module can change something in the account."""
    return module.startswith(AWS_COLLECTIONS) and not module.endswith("_info") and module not in NOTHING_TO_DESTROY


def entry_points(role: Path) -> dict[str, dict[str, Any]]:
    """Return the role's argument specs by entry point; empty where there are none."""
    path = role / "meta" / "argument_specs.yml"
    return ((load(path) or {}).get("argument_specs") or {}) if path.exists() else {}


def defaults_of(role: Path) -> dict[str, Any]:
    """Return the role's defaults."""
    path = role / "defaults" / "main.yml"
    return (load(path) or {}) if path.exists() else {}


@rule
def roles_are_complete(root: Path) -> list[str]:
    """A role has its interface, its tasks and a README."""
    wanted = ("meta/argument_specs.yml", "meta/main.yml", "README.md", "tasks/main.yml")
    return [f"{role.name}/{name}: missing." for role in roles(root) for name in wanted if not (role / name).is_file()]


@rule
def defaults_agree_with_argument_specs(root: Path) -> list[str]:
    """The defaults are the interface, and argument_specs says the same."""
    violations = []
    for role in roles(root):
        defaults, specs = defaults_of(role), entry_points(role)
        documented = {name for spec in specs.values() for name in spec.get("options") or {}}
        where = f"{role.name}/meta/argument_specs.yml"
        violations += [
            f"{where}: '{name}' of defaults/main.yml is missing." for name in defaults if name not in documented
        ]
        for spec in specs.values():
            for name, option in (spec.get("options") or {}).items():
                if option.get("required"):
                    if name in defaults or "default" in option:
                        violations.append(f"{where}: '{name}' is required and has a default.")
                elif name not in defaults:
                    # What another role hands over is null before it exists: neither required nor preset.
                    if "default" in option:
                        violations.append(f"{where}: '{name}' has a default that defaults/main.yml lacks.")
                elif option.get("default") != defaults[name]:
                    violations.append(
                        f"{where}: default of '{name}' is {option.get('default')!r}, "
                        f"defaults/main.yml has {defaults[name]!r}."
                    )
    return violations


def _undescribed(options: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, option in options.items():
        for key in ("description", "type"):
            if not option.get(key):
                yield f"'{prefix}{name}' has no {key}"
        yield from _undescribed(option.get("options") or {}, f"{prefix}{name}.")


@rule
def options_are_described(root: Path) -> list[str]:
    """Every entry point and every option, at any depth, says what it is."""
    violations = []
    for role in roles(root):
        for entry_point, spec in entry_points(role).items():
            where = f"{role.name}/meta/argument_specs.yml: {entry_point}"
            violations += [
                f"{where} has no {key}." for key in ("short_description", "description") if not spec.get(key)
            ]
            violations += [f"{where}: {violation}." for violation in _undescribed(spec.get("options") or {})]
    return violations


@rule
def entry_points_have_tasks(root: Path) -> list[str]:
    """Argument specs are for tasks files that exist."""
    return [
        f"{role.name}/meta/argument_specs.yml: there is no tasks/{name}.yml."
        for role in roles(root)
        for name in entry_points(role)
        if not (role / "tasks" / f"{name}.yml").is_file()
    ]


@rule
def readmes_are_generated(root: Path) -> list[str]:
    """The tables in the READMEs are what tools/role_readmes.py makes of argument_specs."""
    violations = []
    for role in roles(root):
        try:
            wanted = role_readmes.readme(role)
        except role_readmes.ReadmeError as error:
            violations.append(f"{role.name}/README.md: {error}")
            continue
        if (role / "README.md").read_text(encoding="utf-8") != wanted:
            violations.append(f"{role.name}/README.md: not up to date. Run: tools/role_readmes.py {role.name}")
    return violations


@rule
def no_role_reads_anothers_variables(root: Path) -> list[str]:
    """The playbook wires roles: none knows another."""
    names = [role.name for role in roles(root)]
    violations = []
    for role in roles(root):
        own = (f"{role.name}_", f"__{role.name}_")
        foreign = tuple(prefix for name in names if name != role.name for prefix in (f"{name}_", f"__{name}_"))
        files = [
            path for folder in ("tasks", "handlers", "vars", "defaults") for path in (role / folder).rglob("*.yml")
        ]
        sources = [(path, template) for path in files for template in expressions(load(path))]
        sources += [(path, path.read_text(encoding="utf-8")) for path in role.rglob("*.j2")]
        for path, template in sources:
            read, _ = names_read(template)
            violations += [
                f"{path.relative_to(root)}: reads '{name}' of another role."
                for name in sorted(read)
                if name.startswith(foreign) and not name.startswith(own)
            ]
    return sorted(set(violations))


@rule
def aws_roles_have_all_states(root: Path) -> list[str]:
    """A role that can change the account can also gather and remove."""
    violations = []
    for role in roles(root):
        if not is_role_of_aws(role):
            continue
        violations += [
            f"{role.name}/tasks/{name}.yml: missing."
            for name in ("present", "absent", "gather")
            if not (role / "tasks" / f"{name}.yml").is_file()
        ]
        state = ((entry_points(role).get("main") or {}).get("options") or {}).get(f"{role.name}_state") or {}
        missing = {"present", "absent", "gathered"} - set(state.get("choices") or [])
        if missing:
            violations.append(
                f"{role.name}/meta/argument_specs.yml: {role.name}_state lacks {', '.join(sorted(missing))}."
            )
        facts = {
            name for task in role_tasks(role) if task.module == "ansible.builtin.set_fact" for name in task.arguments
        }
        if f"{role.name}_outputs" not in facts:
            violations.append(f"{role.name}/tasks: nothing sets the fact {role.name}_outputs.")
    return violations


@rule
def what_is_created_is_destroyed(root: Path) -> list[str]:
    """Each kind of resource that a role creates is removed by the same role."""
    violations = []
    for role in filter(is_role_of_aws, roles(root)):
        # What gather runs, it runs in check mode.
        tasks = [task for task in role_tasks(role) if task.module != "csv_to_aurora.aws.gather"]
        writes = [one for task in tasks for one in (task, *task.nested) if is_aws_write(one.module)]
        removed = {task.module for task in writes if task.state == "absent" or "{{" in task.state}
        for task in writes:
            if task.state == "absent" or task.module in removed:
                continue
            takes_along = DELETED_WITH.get(task.module, ("", ""))[0]
            if takes_along not in removed:
                hint = f", nor is {takes_along}, with which it would go" if takes_along else ""
                violations.append(
                    f"{task.path.relative_to(root)}: '{task.name}' creates with {task.module}, "
                    f"which no task of the role calls with state: absent{hint}."
                )
    return violations


@rule
def roles_of_aws_warn(root: Path) -> list[str]:
    """What such a role has to say, it warns of: a plan is a run of its own, of whose output only that is shown."""
    return [
        f"{task.path.relative_to(root)}: '{task.name}' is not seen in a plan. Use csv_to_aurora.aws.warn."
        for role in filter(is_role_of_aws, roles(root))
        for task in role_tasks(role)
        if task.module == "ansible.builtin.debug"
    ]


@rule
def gathering_is_read_only(root: Path) -> list[str]:
    """gather.yml reads through the action gather, which runs every module in check mode, and keeps facts."""
    return [
        f"{task.path.relative_to(root)}: '{task.name}' calls {task.module}, which can write."
        for role in roles(root)
        for task in role_tasks(role)
        if task.path.stem.startswith("gather") and is_aws_write(task.module)
    ]


def _all_tasks(root: Path) -> Iterator[Task]:
    for role in roles(root):
        yield from role_tasks(role)
    for path in playbooks(root):
        for play in load(path) or []:
            yield from play_tasks(path, play)
    for path in sorted((root / "playbooks" / "tasks").rglob("*.yml")):
        yield from tasks_in(path, load(path))


@rule
def loops_have_labels(root: Path) -> list[str]:
    """A loop's output names the item and not all of its content, which may be a secret."""
    return [
        f"{task.path.relative_to(root)}: '{task.name}' loops without loop_control.label."
        for task in _all_tasks(root)
        if ("loop" in task.data or any(key.startswith("with_") for key in task.data))
        and "label" not in (task.data.get("loop_control") or {})
    ]


def touches_secret(task: Task) -> str | None:
    """Return the name by which a task handles a secret, or None."""
    for key, value in (pair for one in (task, *task.nested) for pair in one.arguments.items()):
        if _SECRET_NAME.search(key) and key not in _NO_SECRETS and not isinstance(value, bool):
            return key
    for template in expressions({key: value for key, value in task.data.items() if key not in ("name", "no_log")}):
        variables, attributes = names_read(template)
        for name in sorted(variables | attributes):
            if _SECRET_NAME.search(name) and name not in _NO_SECRETS:
                return name
    return None


_IMPORTS = frozenset(f"ansible.builtin.{how}_{what}" for how in ("import", "include") for what in ("role", "tasks"))


@rule
def secrets_are_not_logged(root: Path) -> list[str]:
    """A task that touches a secret has no_log, itself or by its block. What imports others leaves that to them."""
    return [
        f"{task.path.relative_to(root)}: '{task.name}' touches '{name}' without no_log."
        for task in _all_tasks(root)
        if not task.no_log
        and task.module not in _IMPORTS
        and f"{task.path.relative_to(root)}: {task.name}" not in NO_SECRET_LEFT
        and (name := touches_secret(task))
    ]


def _action_group(root: Path, name: str) -> set[str]:
    """Return the full names of what a group of this project's collection has, without what it takes from others."""
    groups = load(root / "collections/ansible_collections/csv_to_aurora/aws/meta/runtime.yml")["action_groups"]
    entries = [entry for entry in groups[name] if isinstance(entry, str)]
    return {entry if "." in entry else f"csv_to_aurora.aws.{entry}" for entry in entries}


def _takes_connection(root: Path, module: str) -> bool:
    """Say whether a module has the options of the connection to AWS."""
    if module.startswith("csv_to_aurora.aws."):
        return module in _action_group(root, "aws")
    return module.startswith(AWS_COLLECTIONS)


def _calls_aws(root: Path, path: Path, play: Mapping[str, Any]) -> bool:
    tasks = play_tasks(path, play)
    used = {role if isinstance(role, str) else role.get("role", "") for role in play.get("roles") or []}
    # That entry point of preflight only looks at Ansible.
    used |= {
        str(task.arguments.get("name"))
        for task in tasks
        if task.module in ("ansible.builtin.import_role", "ansible.builtin.include_role")
        and (task.arguments.get("name"), task.arguments.get("tasks_from")) != ("preflight", "settings")
    }
    for name in used - NO_AWS_ROLES.keys():
        if (root / "roles" / name / "tasks").is_dir():
            tasks += role_tasks(root / "roles" / name)
    # An action that runs modules needs what they need.
    return any(_takes_connection(root, one.module) for task in tasks for one in task.nested or [task])


@rule
def plays_hand_over_the_connection(root: Path) -> list[str]:
    """Every playbook that is imported exists; every play that calls AWS has the connection in its module_defaults."""
    violations = []
    for path in playbooks(root):
        for play in load(path) or []:
            where = path.relative_to(root)
            imported = play.get("ansible.builtin.import_playbook", play.get("import_playbook"))
            if imported is not None:
                if not (path.parent / imported).is_file():
                    violations.append(f"{where}: imports {imported}, which does not exist.")
                continue
            groups = {
                key: value
                for key, value in (play.get("module_defaults") or {}).items()
                if key.startswith("group/") and "aws_connection" in str(value)
            }
            if _calls_aws(root, path, play) and not groups:
                violations.append(
                    f"{where}: play '{play.get('name')}' calls AWS without a group in module_defaults "
                    "that hands aws_connection over."
                )
    return violations


@rule
def the_group_of_the_playbooks_is_complete(root: Path) -> list[str]:
    """What playbooks and roles call themselves is in the group that hands the connection over, and nothing else is."""
    called = {
        task.module
        for task in _all_tasks(root)
        if _takes_connection(root, task.module)
        and not any(task.path.is_relative_to(root / "roles" / name) for name in NO_AWS_ROLES)
    }
    group = _action_group(root, "playbooks")
    where = "collections/ansible_collections/csv_to_aurora/aws/meta/runtime.yml: the group playbooks"
    return [f"{where} lacks {module}." for module in sorted(called - group)] + [
        f"{where} has {module}, which no playbook and no role calls itself." for module in sorted(group - called)
    ]


@rule
def imported_roles_have_no_condition(root: Path) -> list[str]:
    """A role with handlers is imported without a condition: its handlers would have it too, also for other imports."""
    return [
        f"{path.relative_to(root)}: '{task.name}' imports a role that has handlers, under a condition: include it."
        for path in playbooks(root)
        for play in load(path) or []
        for task in play_tasks(path, play)
        if task.module == "ansible.builtin.import_role"
        and "when" in task.data
        and (root / "roles" / str(task.arguments.get("name")) / "handlers").is_dir()
    ]


def _inventory_variables(root: Path, inventory: Path) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for path in sorted((root / "group_vars" / "all").glob("*.yml")):
        merged |= load(path) or {}
    return merged | (load(inventory / "group_vars" / "all" / "main.yml") or {})


@rule
def inventories_are_whole(root: Path) -> list[str]:
    """An inventory is one environment, and its dynamic part, the same everywhere, finds that environment's hosts."""
    violations = []
    dynamic: dict[str, Path] = {}
    for inventory in sorted(path for path in (root / "inventories").iterdir() if path.is_dir()):
        where = inventory.relative_to(root)
        missing = [
            name for name in ("hosts.yml", "aws_ec2.yml", "group_vars/all/main.yml") if not (inventory / name).is_file()
        ]
        violations += [f"{where}/{name}: missing." for name in missing]
        for name in _LINKED_GROUP_VARS:
            shared = root / "group_vars" / name
            link = inventory / "group_vars" / Path(name).stem / f"00_common{shared.suffix}"
            if shared.exists() and (not link.is_symlink() or link.resolve() != shared.resolve()):
                violations.append(f"{link.relative_to(root)}: no link to group_vars/{name}.")
        if missing:
            continue
        found = _inventory_variables(root, inventory).get("environment_name")
        if found != inventory.name:
            violations.append(f"{where}: environment_name is {found!r}, not {inventory.name!r}.")
        dynamic.setdefault((inventory / "aws_ec2.yml").read_text(encoding="utf-8"), where)
    if len(dynamic) > 1:
        violations.append(f"aws_ec2.yml differs between {' and '.join(map(str, dynamic.values()))}.")
    return violations


LOCAL, STAGE = "inventories/local/group_vars/all/main.yml", "tests/e2e/stage.yml"
RUN_ELSEWHERE: dict[str, str] = {
    "app_host_image_architecture": "docs/proofs.md",
    "app_host_image_name": "tests/e2e/moto.yml",
    "app_host_image_owner": "tests/e2e/moto.yml",
    "app_host_unverified": "docs/proofs.md",
    "aws_account_id": "tests/preflight/test_preflight.py",
    "aws_profile": "tests/e2e/test_stage.py",
    "database_log_exports": "tests/e2e/moto.yml",
    "hardening_restart_time": "molecule/hardening/vars.yml",
    "network_subnet_wait": "tests/e2e/moto.yml",
    "preflight_address_url": "tests/preflight/test_ssh.py",
    "ssh_allowed_cidrs": "tests/preflight/test_ssh.py",
    "ssh_public_key_file": "tests/preflight/test_preflight.py",
}
"""What tests/e2e/test_stage.py cannot run with the values of dev and stage, with a file that does, or says why not."""


def _known_elsewhere(root: Path) -> dict[str, str]:
    """Return the variables of all environments by name, each with the role that has it; empty where none does."""
    known = dict.fromkeys(_variables_of_all(root), "")
    for role in roles(root):
        if role.name == "local_cloud":
            continue
        options = entry_points(role).get("main", {}).get("options", {})
        known |= dict.fromkeys({**defaults_of(role), **options}, role.name)
    return known


def _variables_of_all(root: Path) -> set[str]:
    paths = [*(root / "group_vars" / "all").glob("*.yml"), *(root / "inventories").glob("*/group_vars/all/main.yml")]
    return {name for path in paths if path != root / LOCAL for name in load(path) or {}}


@rule
def what_the_local_cloud_overrides_is_run_elsewhere(root: Path) -> list[str]:
    """What inventories/local sets, a test runs with the values of dev and stage: test_stage.py, or a named one."""
    if not (root / LOCAL).exists():
        return []
    known, forced = _known_elsewhere(root), load(root / STAGE) or {}
    run = (root / "playbooks/provision.yml").read_text(encoding="utf-8")
    overridden = known.keys() & (load(root / LOCAL) or {}).keys()
    not_run = {name for name in overridden if known[name] and not re.search(rf"\b(?:name|role): {known[name]}\n", run)}
    violations = [
        f"{LOCAL}: {name} is overridden and no test runs it otherwise: name one in RUN_ELSEWHERE."
        for name in sorted((not_run | (overridden & forced.keys())) - RUN_ELSEWHERE.keys())
    ]
    for name, where in RUN_ELSEWHERE.items():
        if name not in overridden | forced.keys():
            violations.append(f"RUN_ELSEWHERE: {name} is not overridden.")
        elif not (root / where).exists() or name not in (root / where).read_text(encoding="utf-8"):
            violations.append(f"RUN_ELSEWHERE: {where} does not run {name}.")
    return violations


@rule
def files_know_no_machine(root: Path) -> list[str]:
    """No file names a path of one machine or the address of a package index."""
    violations = []
    for path in tracked_files(root):
        where = str(path.relative_to(root))
        if where in MACHINE_PATH_EXCEPTIONS:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            found = _MACHINE_PATH.search(line) or _INDEX_ADDRESS.search(line)
            if found:
                violations.append(f"{where}:{number}: '{found.group()}'.")
    return violations


_FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_MAKE = re.compile(r"^(?:\$ )?(?:[A-Z_]+=\S+ )*make((?: [a-z][\w-]*(?![\w=-]))+)", re.MULTILINE)
_DOCUMENTED_PATH = re.compile(
    r"(?<![\w./~>-])(?:bench|collections|docs|files|group_vars|inventories|molecule|playbooks|roles|tests|tools)/"
    r"[^\s`'\"()\[\]|,;:]+"
)
_PLACEHOLDER = re.compile(r"[<>{}*$…]")
_DOCUMENTED_FILE = re.compile(r"[\w-]+\.(?:yml|py|sql|cfg)")


def _documents(root: Path) -> Iterator[tuple[str, str, Path]]:
    """Yield each Markdown document: its path in the repository, its text, and its folder."""
    for path in tracked_files(root):
        if path.suffix == ".md":
            yield str(path.relative_to(root)), path.read_text(encoding="utf-8"), path.parent


def _anchors(text: str) -> set[str]:
    """Return the anchors of a document's headings, as GitHub derives them."""
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@rule
def links_lead_to_files(root: Path) -> list[str]:
    """Each relative link of a document leads to a file or folder, and its anchor to a heading."""
    violations = []
    for name, text, folder in _documents(root):
        for link in sorted(set(_LINK.findall(_FENCED.sub("", text)))):
            path, _, anchor = link.partition("#")
            if re.match(r"[a-z][a-z0-9+.-]*:", link):
                continue
            target = folder / path if path else root / name
            if not target.exists():
                violations.append(f"{name}: the link {link} leads nowhere.")
            elif anchor and target.suffix == ".md" and anchor not in _anchors(target.read_text(encoding="utf-8")):
                violations.append(f"{name}: the link {link} has an anchor that is no heading.")
    return violations


def _is_ignored(root: Path, name: str) -> bool:
    """Say whether git ignores a path, so that it exists only once something has written it."""
    return subprocess.run(["git", "-C", str(root), "check-ignore", "--quiet", name], check=False).returncode == 0


@rule
def documents_name_what_exists(root: Path) -> list[str]:
    """Commands and files that a document names exist, in the repository, beside the document or in an inventory."""
    makefile = root / "Makefile"
    if not makefile.is_file():
        return ["Makefile: missing."]
    targets = set(re.findall(r"^([\w-]+):(?!=)", makefile.read_text(encoding="utf-8"), re.MULTILINE))
    files = {path.name for path in tracked_files(root)}
    inventories = [path for path in (root / "inventories").iterdir() if path.is_dir()]
    violations = []
    for name, text, folder in _documents(root):
        inline = _INLINE.findall(_FENCED.sub("", text))
        code = "\n".join([*_FENCED.findall(text), *inline])
        made = {word for words in _MAKE.findall(code) for word in words.split()}
        violations += [f"{name}: 'make {target}' has no target." for target in sorted(made - targets)]
        # Those that a document itself says how to add.
        added = set(re.findall(r"cp -a \S+ (\S+?)`?(?=[\s`.]|$)", text))
        paths = {path.partition("#")[0].rstrip(".") for path in _DOCUMENTED_PATH.findall(text)} - added
        for path in sorted(path for path in paths if not _PLACEHOLDER.search(path)):
            found = any((base / path).exists() for base in (root, folder, *inventories))
            if not found and not path.startswith(tuple(f"{one}/" for one in added)) and not _is_ignored(root, path):
                violations.append(f"{name}: there is no {path}.")
        unknown = {one for one in inline if _DOCUMENTED_FILE.fullmatch(one)} - files
        violations += [f"{name}: there is no file {one}." for one in sorted(unknown)]
    return violations


@rule
def roles_have_scenarios(root: Path) -> list[str]:
    """Every role is tested on its own."""
    return [
        f"molecule/{role.name}/molecule.yml: missing."
        for role in roles(root)
        if role.name not in NO_SCENARIO and not (root / "molecule" / role.name / "molecule.yml").is_file()
    ]


LONGEST_TASK = 25
LONGEST_EXPRESSION = 3
"""Lines of a task, and of a template in it: what is longer is a filter in Python."""


def _task_nodes(node: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    """Yield the tasks of a file as nodes with their places, those in blocks included."""
    for item in node.value if isinstance(node, yaml.SequenceNode) else []:
        parts = {key.value: value for key, value in item.value}
        if "block" in parts:
            for part in ("block", "rescue", "always"):
                yield from _task_nodes(parts.get(part))
        else:
            yield item


def _scalars(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    """Yield the texts in a node, at any depth."""
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for inner in node.value:
            yield from _scalars(inner)
    elif isinstance(node, yaml.MappingNode):
        for _, inner in node.value:
            yield from _scalars(inner)


@rule
def tasks_are_short(root: Path) -> list[str]:
    """A task can be read at a glance, and so can each template in it."""
    violations = []
    for role in roles(root):
        for path in sorted((role / "tasks").rglob("*.yml")):
            text = path.read_text(encoding="utf-8")
            for node in _task_nodes(yaml.compose(text, Loader=_Loader)):
                where = f"{path.relative_to(root)}:{node.start_mark.line + 1}"
                lines = len(text[node.start_mark.index : node.end_mark.index].rstrip().splitlines())
                if lines > LONGEST_TASK:
                    violations.append(f"{where}: a task of {lines} lines, more than {LONGEST_TASK}.")
                for scalar in _scalars(node):
                    written = text[scalar.start_mark.index : scalar.end_mark.index]
                    for expression in re.findall(r"\{\{.*?\}\}", written, re.DOTALL):
                        height = len(expression.splitlines())
                        if height > LONGEST_EXPRESSION:
                            violations.append(f"{where}: a template of {height} lines, more than {LONGEST_EXPRESSION}.")
    return violations


# Words that AWS' and Ansible's own documents do not have for it, each with what they say instead. Case does not matter.
WORDS: dict[str, str] = {
    r"mend(s|ed|ing)?": "update, fix",
    r"nobody's|somebody's|somebody else's|ours": "unmanaged, foreign, managed by this stack",
    r"made anew|make anew|anew": "recreated, again",
    r"surplus|no longer wanted": "orphaned, to be removed",
    r"as (it|they) should be": "unchanged, in the desired state",
    r"look(s|ed|ing)? (it|them|him|what|the [\w' ]+|its [\w ]+) up": "gather information about",
    r"dead letter queues?|failure queues?": "dead-letter queue",
    r"perturb\w*": "drift scenario",
    r"census": "inventory",
    r"dice|chapters?": "rng, order",
    r"(ring|sound)s? (an|the) alarm": "trigger an alarm",
    r"tokens? of IAM": "IAM authentication token",
    r"authorities": "CA certificates",
    r"rights": "permissions",
    r"misconfigured": "ConfigurationError, malformed",
    r"patience": "timeout",
    r"lends?|lent|loans?": "staging",
    r"breach(es)?": "violation",
    r"heed(s|ed|ing)?": "honour",
    r"besides": "in addition",
    r"as ever": "as before",
    r"believed": "assumed",
    r"what(ever)? becomes of": "the result of",
    r"ends? well": "succeed",
    r"hundredths? of a second": "tens of milliseconds",
    r"tak(e|es|en|ing) (it|them|the \w+) out of the network": "detach from the VPC",
    r"thousand million": "billion",
    r"for ever": "forever",
    r"file versions?": "object version",
    r"await_\w+": "<role>_wait",
    r"KeepTheCluster|LookCloser|TagWhatIsNobodys|NetworkIsNotForCode": "the statement ids of files/policies",
}
WORD_EXCEPTIONS: dict[str, str] = {
    "tests/structure/repository.py": "holds the words",
    "tests/structure/test_rules.py": "breaks the rule on purpose",
    "LICENSE": "is a given text",
    "files/datapackage/LICENSE": "is a given text",
    "files/datapackage/dataresource.json": "is given, word for word",
}
_WORDS = {re.compile(rf"(?<![\w-])({word})(?![\w-])", re.IGNORECASE): instead for word, instead in WORDS.items()}


# With these no task name of a well-known role begins.
FOREIGN_VERBS = frozenset(("Forget", "Give", "Have", "Leave", "Let", "Look", "Make", "Mend", "Say", "Take", "Tell"))


@rule
def task_names_begin_as_in_the_field(root: Path) -> list[str]:
    """No task or play is named with a verb that other roles do not use."""
    files = [path for folder in ("playbooks", "roles", "molecule") for path in (root / folder).rglob("*.yml")]
    found = [
        (path, name.rpartition("| ")[2])
        for path in sorted(set(files))
        for name in re.findall(r"^ *- name: [\"']?(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    return [
        f"{path.relative_to(root)}: '{name}' begins with '{name.split()[0]}'."
        for path, name in found
        if name and name.split()[0] in FOREIGN_VERBS
    ]


@rule
def words_are_those_of_the_field(root: Path) -> list[str]:
    """No file goes back to words that were replaced."""
    violations = []
    for path in tracked_files(root):
        where = str(path.relative_to(root))
        if where in WORD_EXCEPTIONS or path.suffix in (".pem", ".svg"):
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(lines, start=1):
            violations += [
                f"{where}:{number}: '{found.group()}', say: {instead}."
                for word, instead in _WORDS.items()
                if (found := word.search(line))
            ]
    return violations


def _options_of(modules: set[str]) -> dict[str, set[str]]:
    """Return the options and their aliases of modules, as ansible-doc has them."""
    program = Path(sys.executable).with_name("ansible-doc")
    done = subprocess.run(
        [program, "--json", "--type", "module", *sorted(modules)],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    )
    return {
        module: {name for key, option in found["doc"]["options"].items() for name in (key, *option.get("aliases", ()))}
        for module, found in json.loads(done.stdout).items()
    }


@rule
def options_of_nested_modules_exist(root: Path) -> list[str]:
    """What an action of this project runs is spelt as the module has it: ansible-lint looks at tasks only."""
    nested = [one for role in roles(root) for task in role_tasks(role) for one in task.nested]
    options = _options_of({one.module for one in nested}) if nested else {}
    return [
        f"{one.path.relative_to(root)}: '{one.name}' gives {one.module} the option '{name}', which it does not have."
        for one in nested
        for name in one.arguments
        if name not in options.get(one.module, set())
    ]


@rule
def check_mode_is_the_actions_business(root: Path) -> list[str]:
    """Roles for AWS do not ask whether a run only checks: a plan inside of a run is no such run."""
    return [
        f"{task.path.relative_to(root)}: '{task.name}' reads ansible_check_mode in '{keyword}'."
        for role in filter(is_role_of_aws, roles(root))
        for task in role_tasks(role)
        for keyword, value in task.data.items()
        # A plan reports what a run would stop at and continues.
        if keyword != "ignore_errors" and task.path.parent.name != "handlers"
        for template in expressions({keyword: value})
        if "ansible_check_mode" in names_read(template)[0]
    ]


@rule
def test_files_have_names_of_their_own(root: Path) -> list[str]:
    """No two files of tests share a name: they are no packages, and pytest would take them for one module."""
    by_name: dict[str, list[str]] = {}
    for path in sorted((root / "tests").rglob("*.py")):
        if path.name.startswith("test_"):
            by_name.setdefault(path.name, []).append(str(path.relative_to(root)))
    return [f"{' and '.join(paths)}: one name." for paths in by_name.values() if len(paths) > 1]


@rule
def exceptions_are_of_something(root: Path) -> list[str]:
    """The tables of exceptions name what exists."""
    names = {role.name for role in roles(root)}
    violations = [
        f"{table}: there is no role '{name}'."
        for table, exceptions in (("NO_AWS_ROLES", NO_AWS_ROLES), ("NO_SCENARIO", NO_SCENARIO))
        for name in exceptions
        if name not in names
    ]
    violations += [
        f"{table}: there is no {name}."
        for table, exceptions in (
            ("MACHINE_PATH_EXCEPTIONS", MACHINE_PATH_EXCEPTIONS),
            ("WORD_EXCEPTIONS", WORD_EXCEPTIONS),
        )
        for name in exceptions
        if not (root / name).exists()
    ]
    tasks = {f"{task.path.relative_to(root)}: {task.name}" for task in _all_tasks(root)}
    return violations + [f"NO_SECRET_LEFT: there is no task '{name}'." for name in NO_SECRET_LEFT if name not in tasks]
