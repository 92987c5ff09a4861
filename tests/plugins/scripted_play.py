"""Runs tasks of a test with a module whose results the test writes, for responses that no emulator gives."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from playbook_runner import run_playbook

SCRIPTED = "example.cloud.scripted"
"""The module. It answers with the items of ``answers``, one a call, the last one again and again.

With ``together`` it waits until the calls of these names have begun, too.
"""

_MODULE = """
#!/usr/bin/python
import json
import os
import time

from ansible.module_utils.basic import AnsibleModule

CONNECTION = ("region", "endpoint_url", "access_key", "secret_key", "profile")


def main():
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "required": True},
            "call": {"required": True},
            "answers": {"type": "list", "elements": "dict", "default": [{"changed": True}]},
            "value": {"type": "raw"},
            "optional": {},
            "secret": {"no_log": True},
            "together": {"type": "list", "elements": "str", "default": []},
            "end": {"type": "bool", "default": False},
            **{name: {"no_log": name == "secret_key"} for name in CONNECTION},
        },
        supports_check_mode=True,
    )
    params = module.params
    began = time.time()
    open(os.path.join(params["folder"], params["call"] + ".began"), "w").close()
    while not all(os.path.exists(os.path.join(params["folder"], name + ".began")) for name in params["together"]):
        if time.time() > began + 60:
            module.fail_json(msg="the others did not begin")
        time.sleep(0.02)
    if params["end"]:
        os._exit(1)
    path = os.path.join(params["folder"], params["call"] + ".json")
    calls = json.load(open(path)) if os.path.exists(path) else []
    calls.append({
        "value": params["value"],
        "optional": params["optional"],
        "connection": {name: params[name] for name in CONNECTION if params[name]},
        "check_mode": module.check_mode,
        "diff": module._diff,
        "began": began,
        "ended": time.time(),
    })
    json.dump(calls, open(path, "w"))
    answer = dict(params["answers"][min(len(calls), len(params["answers"])) - 1])
    if answer.get("failed"):
        module.fail_json(**answer)
    module.exit_json(**{"changed": False, **answer})


if __name__ == "__main__":
    main()
"""


def aws_error(code: str, message: str = "AWS does not want to.") -> dict[str, Any]:
    """Return the result of a module that failed at a call to AWS."""
    return {"failed": True, "msg": f"It failed: {message}", "error": {"code": code, "message": message}}


@dataclass
class Play:
    """What a play did: ``results`` by the tasks' names, and what the run printed."""

    folder: Path
    results: dict[str, Any]
    output: str
    returncode: int

    def calls(self, name: str) -> list[dict[str, Any]]:
        """Return what the module was called with under this name."""
        path = self.folder / f"{name}.json"
        found: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
        return found

    def values(self, name: str) -> list[Any]:
        """Return the ``value`` of each of these calls."""
        return [call["value"] for call in self.calls(name)]


def scripted(call: str, **options: Any) -> dict[str, Any]:
    """Return an entry that calls the module; ``call`` is the name under which the call is recorded."""
    return {SCRIPTED: {"folder": "{{ folder }}", "call": call, **options}}


def play(folder: Path, tasks: dict[str, dict[str, Any]], *arguments: str, **keywords: Any) -> Play:
    """Run tasks, each whether the others fail or not.

    Args:
        folder: An empty folder.
        tasks: The tasks by name.
        arguments: More of the command line.
        keywords: Of the play.
    """
    modules = folder / "collections/ansible_collections/example/cloud/plugins/modules"
    modules.mkdir(parents=True, exist_ok=True)
    (modules / "scripted.py").write_text(_MODULE.lstrip())
    registers = {name: f"result_{number}" for number, name in enumerate(tasks)}
    dump = {
        "ansible.builtin.copy": {
            "content": "{{ dict(registers | zip(registers | map('extract', vars))) | to_json }}",
            "dest": "{{ folder }}/results.json",
            "mode": "0600",
        },
        "check_mode": False,
        "no_log": True,
    }
    written = [
        {"name": name, "register": registers[name], "ignore_errors": True, **task} for name, task in tasks.items()
    ]
    book = {
        "name": "Play",
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"folder": str(folder), "registers": list(registers.values())},
        **keywords,
        "tasks": [*written, {"name": "Keep the results", **dump}],
    }
    (folder / "play.yml").write_text(yaml.safe_dump([book], sort_keys=False, allow_unicode=True))
    run = run_playbook(folder / "play.yml", *arguments)
    kept = folder / "results.json"
    by_register = json.loads(kept.read_text()) if kept.exists() else {}
    results = {name: by_register[register] for name, register in registers.items() if register in by_register}
    return Play(folder, results, run.stdout + run.stderr, run.returncode)
