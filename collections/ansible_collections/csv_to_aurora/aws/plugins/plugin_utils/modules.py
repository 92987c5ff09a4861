# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the action plugins share that run modules of AWS: which module is meant, the connection, templates, failures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from .not_yet import error_of

MODULE_NAME = re.compile(r"[a-z]\w*\.[a-z]\w*\.[a-z]\w*")

FIXES: tuple[tuple[str, str], ...] = (
    (
        "AccessDenied|AccessDeniedException|UnauthorizedOperation|AuthorizationError|AuthorizationErrorException",
        "These credentials lack that permission: docs/permissions.md says how to give it to them.",
    ),
    (
        "ExpiredToken|ExpiredTokenException|RequestExpired|InvalidClientTokenId|UnrecognizedClientException|AuthFailure",
        "The credentials have expired or are wrong: log in again (aws sso login, or a new access key).",
    ),
    (
        # Not those of the rate of calls.
        r"(?!Request|Bandwidth)\w*LimitExceeded\w*|\w*QuotaExceeded\w*|TooManyBuckets",
        "A quota of the account is used up: remove what is not needed, or ask for more in Service Quotas.",
    ),
    (
        r"Insufficient\w*Capacity\w*",
        "AWS lacks capacity at the moment: try again later, or choose another instance type or availability zone.",
    ),
    (
        "DependencyViolation|DeleteConflict",
        "Something that this stack does not manage uses it: remove that by hand.",
    ),
    (
        "MySQL error 1062",
        "Rows of the table share a value of the new key: SELECT … GROUP BY … HAVING COUNT(*) > 1 finds them.",
    ),
    (
        "MySQL error 184[56]",
        "This server needs more than was planned: run the statement with ALGORITHM=COPY while nothing is imported.",
    ),
    (
        "MySQL error 4092",
        "Rebuild the table once, which blocks nobody: ALTER TABLE … FORCE, ALGORITHM=INPLACE, LOCK=NONE.",
    ),
    (
        "BucketAlreadyExists",
        "Bucket names are global and another account has this one: choose another project or bucket_name.",
    ),
)
PENDING = "changes_pending"
"""Key of ansible_facts that is true once a task in check mode found something to apply, or to wait for."""
FIX = "Correct that and run the same command again: what is done already stays."


CONNECTION = frozenset(
    """access_key aws_access_key_id aws_access_key secret_key aws_secret_access_key aws_secret_key session_token
    aws_session_token profile aws_profile endpoint_url aws_endpoint_url region aws_region validate_certs aws_ca_bundle
    aws_config debug_botocore_endpoint_logs""".split()  # noqa: SIM905
)
"""The options of every module of AWS that say how to connect, with their aliases."""


class Call(NamedTuple):
    """A module and its arguments: a mapping or, as written, a template that becomes one.

    ``until`` is a JMESPath that has to be true of its result; empty for any result.
    """

    module: str
    arguments: Any
    until: str = ""


def call_of(entry: Any, where: str, keywords: tuple[str, ...] = ()) -> Call:
    """Return what an entry ``{module: arguments}`` calls.

    Args:
        entry: The entry as written, templated or not.
        where: What the entry is part of, for the message.
        keywords: What it may have beside the module, such as ``when``.

    Raises:
        AnsibleActionFail: It is no mapping of one module's full name to its options.
    """
    if isinstance(entry, Mapping):
        modules = [key for key in entry if key not in keywords]
        if len(modules) == 1 and MODULE_NAME.fullmatch(str(modules[0])):
            arguments = entry[modules[0]]
            if arguments is None or isinstance(arguments, Mapping | str):
                return Call(str(modules[0]), arguments or {})
    allowed = f", and may have {' and '.join(keywords)}" if keywords else ""
    raise AnsibleActionFail(f"{where} has to be one module by its full name with a mapping of its options{allowed}.")


def sentence(failed: str, result: Mapping[str, Any]) -> str:
    """Return why something failed and how to fix it.

    Args:
        failed: What failed, as a whole sentence without its full stop: "The VPC main could not be created".
        result: The failed result of a module.
    """
    code, said = error_of(result)
    said = " ".join(said.split()).rstrip(".")
    fix = next((text for codes, text in FIXES if re.fullmatch(codes, code)), FIX)
    return f"{failed}: {code + ': ' if code and code not in said else ''}{said}. {fix}"


def traceback_of(exception: Any) -> str:
    """Return the traceback of a module's exception, or its message where Ansible was told to keep none."""
    event = getattr(exception, "event", None)
    return str((event.formatted_traceback or event.msg) if event else exception)


class ModuleRunner(ActionBase):
    """An action that runs modules of AWS on the controller."""

    TRANSFERS_FILES = False
    OWN: frozenset[str] = frozenset()
    """The action's own options. All others are the connection, which group/csv_to_aurora.aws.aws gives it."""
    REQUIRED: tuple[str, ...] = ()
    disposable = False
    """Whether this process ends after its next module, so that the callback warm_modules may run it right here."""
    LAZY: frozenset[str] = frozenset()
    """Options that are templated by the action itself, when it needs them and with more variables."""

    @classmethod
    def finalize_task_arg(cls, name: str, value: Any, templar: Any, context: Any) -> Any:
        """Leave the lazy options as written."""
        return value if name in cls.LAZY else super().finalize_task_arg(name, value, templar, context)

    @property
    def connection(self) -> dict[str, Any]:
        """The options that are the connection to AWS."""
        return {key: value for key, value in self._task.args.items() if key not in self.OWN}

    def check_options(self) -> None:
        """Check that no option is missing or misspelled.

        Raises:
            AnsibleActionFail: One is.
        """
        name = str(self._task.action).rpartition(".")[2]
        for option in self.REQUIRED:
            if option not in self._task.args:
                raise AnsibleActionFail(f"{name} needs the option '{option}'.")
        for option in self.connection.keys() - CONNECTION:
            raise AnsibleActionFail(f"{name} has no option '{option}'. It has {', '.join(sorted(self.OWN))}.")

    def number(self, option: str, default: float) -> float:
        """Return an option that is a number; the default where it is not given or null."""
        value = self._task.args.get(option)
        return default if value is None else float(value)

    def template(self, value: Any, more: Mapping[str, Any] | None = None) -> Any:
        """Return a value with its templates filled in; ``more`` are variables beside those of the task."""
        templar = self._templar
        if more:
            templar = templar.copy_with_new_env(available_variables={**templar.available_variables, **more})
        return templar.template(value)

    def holds(self, condition: Any, more: Mapping[str, Any]) -> bool:
        """Return whether a condition holds, or all of a list of them, as in ``when``."""
        templar = self._templar.copy_with_new_env(available_variables={**self._templar.available_variables, **more})
        conditions = condition if isinstance(condition, list) else [condition]
        return all(templar.evaluate_conditional(one) for one in conditions)

    def failure(self, failed: str, result: Mapping[str, Any]) -> AnsibleActionFail:
        """Return the failure of a module in one sentence. With C(no_log) it leaves out what was said, secrets perhaps.

        Args:
            failed: What failed, as a whole sentence without its full stop.
            result: The failed result of a module.
        """
        code, message = error_of(result)
        said: Mapping[str, Any] = {"error": {"code": code, "message": message}}
        if code.startswith("MySQL"):
            # What else there is may have the value of a row.
            result = {"failed": True, "msg": message}
        if self._task.no_log:
            said = {"error": {"code": code, "message": "what was said is hidden, for no_log"}}
        return AnsibleActionFail(sentence(failed, said), result={"result": result})

    def call(self, call: Call, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """Run a module with the connection and return its result, without its arguments.

        Raises:
            AnsibleActionFail: Its options are no mapping.
        """
        if not isinstance(call.arguments, Mapping):
            # Without what they are: it may hold a secret.
            raise AnsibleActionFail(f"The options of {call.module} have to be a mapping.")
        result: dict[str, Any] = self._execute_module(
            module_name=call.module,
            module_args={**self.connection, **call.arguments},
            # The arguments may be secret: no module writes them to the controller's syslog.
            task_vars={**(task_vars or {}), "ansible_no_target_syslog": True},
        )
        result.pop("invocation", None)
        if result.get("exception"):
            # What a module does not catch has no message of its own.
            result.setdefault("msg", getattr(getattr(result["exception"], "event", None), "msg", result["exception"]))
            result["exception"] = traceback_of(result["exception"])
        return result
