# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Callback: run AWS modules in processes that already have the AWS SDK in memory.

A module call usually starts a Python, imports boto3 and parses the service's description: about a
second each, some hundred times in a run. ansible-playbook forks a worker for each task anyway; here
the worker forks once more and runs the module there, with all of that inherited. A worker that is
C(disposable), as the children of gather are, runs it itself.

This leans on private parts of ansible-core. Where they are not as expected, nothing is replaced and
modules run as they always do.
"""

from __future__ import annotations

import functools
import gc
import inspect
import json
import os
import sys
import tempfile
import traceback
from typing import TYPE_CHECKING, Any

from ansible.plugins.action import ActionBase
from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import module_loader

if TYPE_CHECKING:
    from collections.abc import Callable

    from ansible.playbook.task import Task

DOCUMENTATION = r"""
name: warm_modules
type: aggregate
version_added: 1.0.0
short_description: Run AWS modules several times as fast on the controller
description:
  - Modules of amazon.aws, community.aws and this collection that run on the controller itself are run in a fork of
    Ansible's own worker, which has the AWS SDK in memory, and not in a newly started Python.
  - Results are the same. Other modules, other hosts, other interpreters, and tasks with C(become), C(async) or
    C(environment) are left as they are, and so is everything when ansible-core is of another version than those that
    this was tested with.
notes:
  - Leans on private parts of ansible-core, and is therefore off for versions that it was not tested with. It replaces
    C(ActionBase._execute_module); it calls C(_update_module_args) and C(_parse_returned_data) of it, and
    C(run_module) of C(ansible.module_utils._internal._ansiballz._loader); it sets
    C(ansible.module_utils._internal.is_controller) in the child that becomes the module. It also
    has botocore's sessions share one loader of service descriptions.
  - C(ANSIBLE_WARM_MODULES=false) runs every module as ansible-core does. The results are the same, as C(make test)
    verifies.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
requirements:
  - enabled in C(callbacks_enabled)
options:
  enabled:
    description: Whether modules are run warm.
    type: bool
    default: true
    env:
      - name: ANSIBLE_WARM_MODULES
    ini:
      - section: callback_warm_modules
        key: enabled
"""

COLLECTIONS = ("amazon.aws.", "community.aws.", "csv_to_aurora.aws.")
OTHER_RUN = "csv_to_aurora.aws.playbook_plan"
"""Calls no AWS itself: it starts ansible-playbook, which warms up for itself."""
# The services whose descriptions every run of this project needs; any other is read when it is used.
SERVICES = (
    "cloudwatch",
    "ec2",
    "iam",
    "lambda",
    "logs",
    "rds",
    "resourcegroupstaggingapi",
    "s3",
    "secretsmanager",
    "sqs",
    "sts",
)
TESTED_CORE = ((2, 20), (2, 22))
PROFILE = "legacy"

type Execute = Callable[..., dict[str, object]]


def warm_up() -> None:
    """Import the AWS SDK and what modules share, and read the services' descriptions, once, for all forks to come."""
    # Costs half a second, and so only where it is going to be used. Python keeps no compiled form of what is in a
    # collection: each module would compile all of these again.
    from ansible_collections.amazon.aws.plugins.module_utils import (  # noqa: F401, PLC0415
        ec2,
        iam,
        modules,
        policy,
        rds,
        s3,
        waiters,
    )
    from botocore import session as sessions  # noqa: PLC0415

    # Each session has a loader of its own, and each loader would look for the same files and parse them again.
    sessions.create_loader = functools.cache(sessions.create_loader)
    session = sessions.get_session()
    for service in SERVICES:
        client = session.create_client(
            service,
            region_name="eu-west-1",
            aws_access_key_id="-",
            aws_secret_access_key="-",  # noqa: S106 - none: the client is never used
        )
        # The first question whether an operation has pages reads the list of those that do.
        client.can_paginate(next(iter(client.meta.method_to_api_mapping)))
    # ansible-core asks in the worker of each loop without items who called it, and Python looks for the files of all
    # these modules to answer the first such question.
    inspect.stack()


def eligible(action: ActionBase, name: str, *, wrap_async: bool) -> bool:
    """Tell whether a module may run in a fork of this very process."""
    task, connection = action._task, action._connection
    interpreter = action._templar.template(action._templar.available_variables.get("ansible_python_interpreter", ""))
    return (
        name.startswith(COLLECTIONS)
        and connection.transport in ("local", "ansible.builtin.local")
        and interpreter == sys.executable
        and not (wrap_async or task.async_val or task.become or any(task.environment or ()))
    )


def run_module(module: str, parameters: bytes, *, fork: bool) -> tuple[int, str, str]:
    """Run an Ansible module, by its Python name, in a fork or in this very process, which then is good for little else.

    Returns:
        Its exit code, what it printed, and what it printed to standard error.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        if fork:
            child = os.fork()
            if child == 0:
                os._exit(_be_module(module, parameters, out.fileno(), err.fileno()))
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        else:
            code = _be_module(module, parameters, out.fileno(), err.fileno())
        out.seek(0)
        err.seek(0)
        return code, out.read().decode(errors="surrogateescape"), err.read().decode(errors="surrogateescape")


def _be_module(module: str, parameters: bytes, out: int, err: int) -> int:
    """Be the module until it ends, as a newly started Python would be, and return its exit code."""
    from ansible.module_utils import _internal  # noqa: PLC0415
    from ansible.module_utils._internal._ansiballz import _loader  # noqa: PLC0415

    code, controller = 1, _internal.is_controller
    try:
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdin = open(os.devnull)  # noqa: PTH123, SIM115 - lives as long as the process
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        # Warnings belong into the module's result; only the controller may show them.
        _internal.is_controller = False
        # What runs a module everywhere: what the module does not catch becomes its result, too.
        _loader.run_module(json_params=parameters, profile=PROFILE, module_fqn=module, modlib_path="", extensions={})
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException:  # noqa: BLE001 - the parent has to be told, whatever it was
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        _internal.is_controller = controller
    return code


def warm(original: Execute) -> Execute:
    """Wrap ActionBase._execute_module so that eligible modules run in a fork."""
    from ansible.module_utils.common.json import (  # noqa: PLC0415
        Direction,
        get_module_encoder,
    )

    encoder = get_module_encoder(PROFILE, Direction.CONTROLLER_TO_MODULE)

    @functools.wraps(original)
    def execute(  # noqa: PLR0913 - as many as the method it stands for
        self: ActionBase,
        module_name: str | None = None,
        module_args: dict[str, Any] | None = None,
        tmp: str | None = None,
        task_vars: dict[str, Any] | None = None,
        *arguments: Any,
        wrap_async: bool = False,
        **named: Any,
    ) -> dict[str, object]:
        name = module_name or self._task.action
        if arguments or named or not eligible(self, name, wrap_async=bool(wrap_async)):
            return original(
                self,
                module_name,
                module_args,
                tmp,
                task_vars,
                *arguments,
                wrap_async=wrap_async,
                **named,
            )
        found = module_loader.find_plugin_with_context(name)
        if not found.resolved or not found.resolved_fqcn:
            return original(self, module_name, module_args, tmp, task_vars)
        collection, _, short = found.resolved_fqcn.rpartition(".")
        values = dict(self._task.args if module_args is None else module_args)
        self._update_module_args(name, values, task_vars or {})
        parameters = json.dumps({"ANSIBLE_MODULE_ARGS": values}, cls=encoder).encode()
        python_name = f"ansible_collections.{collection}.plugins.modules.{short}"
        code, out, err = run_module(python_name, parameters, fork=not getattr(self, "disposable", False))
        result = self._parse_returned_data(
            {
                "rc": code,
                "stdout": out,
                "stdout_lines": out.splitlines(),
                "stderr": err,
                "stderr_lines": err.splitlines(),
            },
            PROFILE,
        )
        result.remove_internal_keys()
        return dict(result.as_result_dict(for_round_trip=True))

    return execute


class CallbackModule(CallbackBase):
    """Warms the process up before the first task that calls AWS."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "csv_to_aurora.aws.warm_modules"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        """Begin cold."""
        super().__init__()
        self.cold = True

    def v2_playbook_on_task_start(self, task: Task, is_conditional: bool) -> None:  # noqa: FBT001 - Ansible's signature
        """Replace how modules are executed, unless this ansible-core is not one that we know."""
        del is_conditional
        if not (self.cold and task.action.startswith(COLLECTIONS) and task.action != OTHER_RUN):
            return
        from ansible import __version__  # noqa: PLC0415

        self.cold = False
        low, high = TESTED_CORE
        if not self.get_option("enabled"):
            return
        if not low <= tuple(int(part) for part in __version__.split(".")[:2]) < high:
            return
        warm_up()
        # Looking for garbage in a fork would touch, and so copy, nearly all the memory that it shares with its parent:
        # a tenth of a second for a task that is skipped. What is here at a fork stays, and forks are short.
        os.register_at_fork(before=gc.freeze, after_in_child=gc.disable)
        ActionBase._execute_module = warm(ActionBase._execute_module)
