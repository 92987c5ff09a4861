# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The resources that a run changes, gathered from the results of its tasks by each callback that shows them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from posixpath import normpath
from typing import TYPE_CHECKING, Any

from ansible import constants, context
from ansible.errors import AnsibleError
from ansible.template import Templar

from .subjects import Subject, action_unless_told, subject_of, tells_in_diff_mode, text_of
from .task_results import arguments_of, fields_of, is_hidden, module_of, role_of

if TYPE_CHECKING:
    from ansible.executor.task_result import CallbackTaskResult
    from ansible.playbook.play import Play
    from ansible.playbook.task import Task

RESOURCE = "csv_to_aurora.aws.resource"
ON_HOST = frozenset({"application", "packages", "service", "symbolic link", "user"})
"""Kinds of the action C(resource) that are part of the task's host. All others are in the account or the database."""
ACTIONS = ("create", "update", "replace", "delete")
DONE = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted"}
COLOURS = {
    "create": constants.COLOR_OK,
    "update": constants.COLOR_CHANGED,
    "replace": constants.COLOR_CHANGED,
    "delete": constants.COLOR_ERROR,
}

# What reads, computes or steers, but manages nothing.
INTERNAL = frozenset(
    {
        "add_host",
        "assert",
        "async_status",
        "csv_import_wait",
        "debug",
        "fail",
        "gather",
        "gather_facts",
        "group_by",
        "import_playbook",
        "import_role",
        "import_tasks",
        "include_role",
        "include_tasks",
        "include_vars",
        "lambda_execute",
        "meta",
        "pause",
        "ping",
        "playbook_plan",
        "set_fact",
        "set_stats",
        "setup",
        "slurp",
        "ssm_lock",
        "stat",
        "tempfile",
        "validate_argument_spec",
        "wait_for",
        "wait_for_connection",
    }
)

type Key = tuple[str | None, str, str]


@dataclass(frozen=True)
class Change:
    """One resource that was changed, or would be.

    Attributes:
        host: Where: the host of the task, or the one that it is delegated to.
        remote: Whether it is part of that host, and the host is another machine than the controller.
        role: The role that changed it first; None in a playbook's own tasks.
        action: create, update, replace or delete.
        fields: Names of the fields that differ; None where that is not known or must not be.
        diff: What the module told of the difference, or None.
        seconds: How long that took; None where it was only planned.
    """

    host: str
    remote: bool
    role: str | None
    kind: str
    name: str
    action: str
    module: str
    fields: list[str] | None
    diff: Any
    seconds: float | None

    @property
    def key(self) -> Key:
        """What tells this resource from the others of the run."""
        return (self.host if self.remote else None, self.kind, self.name)

    @property
    def title(self) -> str:
        """Kind and name."""
        return f"{self.kind} {self.name}".rstrip()


def merged(before: str, after: str) -> str:
    """Return what two changes of one resource come to: created and then updated is created."""
    if after == "delete":
        return after
    if before == "delete":
        return "replace"  # a plan says that what comes after the removal updates what is still there
    return after if after == "replace" and before == "update" else before


def together(first: Any, second: Any) -> Any:
    """Return the diff of two changes of one resource, where both have fields; otherwise that of the first."""
    if differing(first) is None or differing(second) is None:
        return first
    (before, between), (then, after) = sides(first), sides(second)
    return {
        "before": before and {**before, **then, **before},
        "after": after and {**between, **after},
    }


def sides(diff: Any) -> tuple[Any, Any]:
    """Return what was and what will be, of the first diff that a module tells."""
    first = diff[0] if isinstance(diff, list) and diff else diff
    return (first.get("before"), first.get("after")) if isinstance(first, Mapping) else (None, None)


def differing(diff: Any) -> list[str] | None:
    """Return the names of the fields that differ; None where the diff has no fields."""
    before, after = sides(diff)
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return None
    return [str(field) for field in {**before, **after} if before.get(field) != after.get(field)]


def action_of(module: str, arguments: Mapping[str, Any], diff: Any) -> str:
    """Return what a changed result did, by its diff or else by the state that its task asks for."""
    before, after = sides(diff)
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        gone = [not side or side.get("state") == "absent" for side in (before, after)]
        if any(gone):
            return "delete" if gone[1] else "create"
        return "update"
    if isinstance(before, str) and isinstance(after, str):
        return "update" if before else "create"  # the content of a file
    if arguments.get("state") in ("absent", "deleted"):
        return "delete"
    return "update" if arguments.get("state") in ("latest", "reloaded", "restarted") else action_unless_told(module)


def is_internal(module: str) -> bool:
    """Return whether a module only reads, computes or steers."""
    short = module.rsplit(".", maxsplit=1)[-1]
    return short in INTERNAL or short.endswith(("_info", "_facts", "_pipe"))


def is_local(result: CallbackTaskResult) -> bool:
    """Return whether the task ran on the controller."""
    connection = str(fields_of(result).get("connection") or "").rpartition(".")[2]
    return bool(result.host.implicit) or connection == "local"


class Changes:
    """What a run has changed so far, and what it has found unchanged."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.check = bool(context.CLIARGS.get("check"))
        self.changes: dict[Key, Change] = {}
        self.found_unchanged: dict[Key, str | None] = {}
        self.temporary: dict[str, set[str]] = defaultdict(set)
        self.play: Play | None = None
        self.began: dict[str, float] = {}

    @property
    def unchanged(self) -> dict[str | None, int]:
        """How many resources of each role are as they were."""
        counts: dict[str | None, int] = defaultdict(int)
        for key, role in self.found_unchanged.items():
            counts[role] += key not in self.changes
        return counts

    def begin_play(self, play: Play) -> None:
        """Keep the play, which knows the variables of its tasks."""
        self.play = play

    def begin_task(self, task: Task) -> None:
        """Prepare for a task's results."""
        self.began[task._uuid] = time.monotonic()
        if tells_in_diff_mode(module_of(task)):
            # Costs a module call a file, and only for files that change.
            task.diff = True

    def take(self, result: CallbackTaskResult) -> list[Change]:
        """Take in a result that is no failure; return the changes that are new, or have come to another action."""
        module = module_of(result.task)
        if result.is_skipped():
            return []
        if self.only_plans(result):
            if module == RESOURCE and result.result.get("action") == "none":
                # The run may well end here for it: where nothing differs, nothing is applied.
                list(self.of_resource(result))
            return []
        if module.endswith(".tempfile"):
            self.temporary[self.place(result)].add(str(result.result.get("path")))
        stated = self.stated(result)
        if stated is None and is_internal(module):
            return []
        if result.result.get("ansible_job_id") and not result.result.get("finished"):
            return []  # only started
        return [change for found in self.found_in(result, stated) if (change := self.add(found))]

    def only_plans(self, result: CallbackTaskResult) -> bool:
        """Return whether the task only tells what it would do, although that is not what the run is for."""
        if not self.check:
            return bool(fields_of(result).get("check_mode"))
        return module_of(result.task) != RESOURCE and (result.task.get_ds() or {}).get("check_mode") is True

    def found_in(self, result: CallbackTaskResult, stated: Subject | None) -> Iterator[Change]:
        """Yield the changes that a result tells of; note what it has found unchanged."""
        if module_of(result.task) == RESOURCE:
            yield from self.of_resource(result)
        else:
            yield from self.of_module(result, stated or subject_of(result))

    # Where a change comes from

    def of_resource(self, result: CallbackTaskResult) -> Iterator[Change]:
        """Yield the change of the action C(resource)."""
        arguments, found = arguments_of(result), result.result
        kind = text_of(arguments.get("kind"))
        subject = Subject(kind, text_of(arguments.get("name")), on_host=kind in ON_HOST)
        exists, wanted = bool(arguments.get("current")), bool(arguments.get("desired"))
        if result.is_changed():
            hidden = ("update" if exists else "create") if wanted else "delete"
            yield self.change(result, subject, found.get("action", hidden), found.get("diff"))
        elif exists or wanted:
            self.note_unchanged(result, subject)

    def of_module(self, result: CallbackTaskResult, subject: Subject) -> Iterator[Change]:
        """Yield the change of any other module."""
        if self.is_temporary(result, subject):
            return
        arguments = arguments_of(result)
        if result.is_changed():
            action = subject.action or action_of(module_of(result.task), arguments, result.result.get("diff"))
            told = result.result.get("diff") if context.CLIARGS.get("diff") else None
            yield self.change(result, subject, action, told)
        elif subject.is_known and arguments.get("state") not in ("absent", "deleted"):
            self.note_unchanged(result, subject)

    def stated(self, result: CallbackTaskResult) -> Subject | None:
        """Return what the task itself says that it manages, with its variable C(<role>_resource)."""
        name = next((key for key in result.task.vars if key == "resource" or key.endswith("_resource")), None)
        statement = result.task.vars.get(name)
        if self.play is None or not isinstance(statement, Mapping) or "kind" not in statement:
            return None
        variables = self.play.get_variable_manager().get_vars(play=self.play, host=result.host, task=result.task)
        loop_variable = result.result.get("ansible_loop_var")
        if loop_variable in result.result:
            variables[loop_variable] = result.result[loop_variable]
        templar = Templar(loader=self.play.get_loader(), variables=variables)
        values = {}
        for key, value in statement.items():
            try:
                values[key] = text_of(templar.template(value))
            except AnsibleError:
                values[key] = ""  # such as a loop's item, which no_log hides
        return Subject(values["kind"], values.get("name", ""), values.get("action") or None, is_known=True)

    # Keeping them

    def change(self, result: CallbackTaskResult, subject: Subject, action: str, diff: Any) -> Change:
        """Return a change, without values where they are secret."""
        told = None if is_hidden(result) else diff
        return Change(
            host=self.place(result),
            remote=subject.on_host and not is_local(result),
            role=role_of(result.task),
            kind=subject.kind,
            name=subject.name,
            action=action,
            module=module_of(result.task),
            fields=differing(told),
            diff=told,
            seconds=None if self.check else self.seconds(result),
        )

    def add(self, change: Change) -> Change | None:
        """List a change; return it where it is new to what is listed."""
        before = self.changes.get(change.key)
        if before is None:
            self.changes[change.key] = change
            return change
        action, diff = merged(before.action, change.action), together(before.diff, change.diff)
        seconds = None if before.seconds is None else round(before.seconds + (change.seconds or 0), 1)
        self.changes[change.key] = replace(before, action=action, diff=diff, fields=differing(diff), seconds=seconds)
        return None if before.action == action else replace(change, action=action)

    def note_unchanged(self, result: CallbackTaskResult, subject: Subject) -> None:
        """Count a resource that was found unchanged."""
        place = self.place(result) if subject.on_host and not is_local(result) else None
        self.found_unchanged.setdefault((place, subject.kind, subject.name), role_of(result.task))

    def seconds(self, result: CallbackTaskResult) -> float:
        """Return how long a task, or an item of its loop, took."""
        now = time.monotonic()
        began = self.began.get(result.task._uuid, now)
        self.began[result.task._uuid] = now
        told = result.result.get("seconds") if module_of(result.task) == RESOURCE else None
        return round(now - began, 1) if told is None else float(told)

    @staticmethod
    def place(result: CallbackTaskResult) -> str:
        """Return the host that the task worked on."""
        return str(fields_of(result).get("delegate_to") or result.host.get_name())

    def is_temporary(self, result: CallbackTaskResult, subject: Subject) -> bool:
        """Return whether a file is gone after the run: the run made it with C(tempfile), or it is among such files.

        On the controller the folder for temporary files says nothing by itself: a checkout may well be in it.
        """
        path = normpath(subject.name)
        folders = set(self.temporary[self.place(result)])
        if subject.on_host and not is_local(result):
            folders |= {"/tmp", "/var/tmp"}  # noqa: S108 # told from others, not written to
        return any(path == folder or path.startswith(f"{folder}/") for folder in folders)
