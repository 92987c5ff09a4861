"""An emulated AWS, and a way to run a module of the collection against it as Ansible would."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import multiprocessing
from dataclasses import dataclass, field
from typing import Any

import boto3
from ansible.module_utils import basic
from botocore.config import Config

from tests import servers

MODULES = "ansible_collections.csv_to_aurora.aws.plugins.modules"

REGION = "eu-west-1"

# A fork of a process that has these loaded starts in milliseconds instead of a second.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["boto3", "ansible.module_utils.basic"])


def _call(module: str, arguments: bytes) -> dict[str, Any]:
    basic._ANSIBLE_ARGS = arguments
    basic._ANSIBLE_PROFILE = "legacy"
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        importlib.import_module(f"{MODULES}.{module}").main()
    result: dict[str, Any] = json.loads(output.getvalue())
    return result


def _child(pipe: Any, module: str, arguments: bytes) -> None:
    try:
        pipe.send(_call(module, arguments))
    except BaseException as error:  # what the test has to see is the error, whatever it is
        pipe.send({"crashed": repr(error)})
        raise


@dataclass
class ModuleRunner:
    """Runs modules with one set of connection arguments."""

    connection: dict[str, Any] = field(default_factory=dict)

    def __call__(self, module: str, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        """Return the result of a module that succeeds.

        Raises:
            AssertionError: The module failed, or ended without a result.
        """
        result = self._result(module, check, arguments)
        assert not result.get("failed"), f"{module} failed: {result['msg']}"
        return result

    def failure(self, module: str, *, check: bool = False, **arguments: Any) -> str:
        """Return the message of a module that fails.

        Raises:
            AssertionError: The module succeeded, or ended without a result.
        """
        result = self._result(module, check, arguments)
        assert result.get("failed"), f"{module} did not fail: {result}"
        message: str = result["msg"]
        return message

    def _result(self, module: str, check: bool, arguments: dict[str, Any]) -> dict[str, Any]:
        sent = {
            "ANSIBLE_MODULE_ARGS": {
                **self.connection,
                **arguments,
                "_ansible_check_mode": check,
                "_ansible_diff": True,
            }
        }
        here, there = _processes.Pipe(duplex=False)
        child = _processes.Process(target=_child, args=(there, module, json.dumps(sent).encode()))
        child.start()
        there.close()
        try:
            result: dict[str, Any] = here.recv()
        except EOFError:
            result = {"crashed": "no result"}
        child.join()
        assert "crashed" not in result, f"{module} crashed: {result['crashed']}"
        return result


@dataclass
class Cloud:
    """An emulated AWS: C(name) is the emulator, C(run) runs a module, C(client) gives a boto3 client for facts."""

    name: str
    endpoint: str

    @property
    def connection(self) -> dict[str, str]:
        """The connection arguments of a module."""
        return {
            "endpoint_url": self.endpoint,
            "region": REGION,
            "access_key": "test",
            "secret_key": servers.SECRET,
        }

    @property
    def run(self) -> ModuleRunner:
        """The runner for modules."""
        return ModuleRunner(dict(self.connection))

    def client(self, service: str) -> Any:
        """Return a boto3 client, with which a test looks at what is really there."""
        # The stubs know every service by a literal name, and this one is a variable.
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key=servers.SECRET,
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )
