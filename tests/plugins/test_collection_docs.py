"""What the collection documents is what its modules take, and what ansible-doc can show."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest
import yaml
from ansible_collections.amazon.aws.plugins.module_utils import modules as aws_modules
from playbook_runner import PROJECT, ansible_command

COLLECTION = PROJECT / "collections/ansible_collections/csv_to_aurora/aws"
NAMES = sorted(path.stem for path in (COLLECTION / "plugins/modules").glob("*.py"))
# Those that run on the controller have an action plugin, and their module file is documentation.
AWS_NAMES = [name for name in NAMES if not (COLLECTION / f"plugins/action/{name}.py").exists()]


@pytest.fixture(scope="module")
def documented() -> dict[str, Any]:
    """What ansible-doc has of each module."""
    names = [f"csv_to_aurora.aws.{name}" for name in NAMES]
    run = ansible_command("ansible-doc", "--type=module", "--json", *names)
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return {name.rsplit(".", maxsplit=1)[-1]: entry for name, entry in found.items()}


def argument_spec(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the options that a module takes, its connection options included."""

    class TakenError(Exception):
        """Ends the module once its options are known."""

    specs: list[dict[str, Any]] = []

    def take(**settings: Any) -> None:
        specs.append(settings["argument_spec"])
        raise TakenError

    module = importlib.import_module(f"ansible_collections.csv_to_aurora.aws.plugins.modules.{name}")
    monkeypatch.setattr(module, "AnsibleAWSModule", take)
    with pytest.raises(TakenError):
        module.main()
    return {**aws_modules.aws_argument_spec(), **specs[0]}


def test_ansible_doc_renders_every_module_and_the_callback() -> None:
    names = [f"csv_to_aurora.aws.{name}" for name in NAMES]
    modules = ansible_command("ansible-doc", "--type=module", *names)
    callback = ansible_command("ansible-doc", "--type=callback", "csv_to_aurora.aws.run_summary")
    for run in (modules, callback):
        assert run.returncode == 0, run.stderr
        assert "ERROR" not in run.stderr
    assert [name for name in names if f"{name}:" not in modules.stdout] == []
    assert modules.stdout.count("EXAMPLES:") == len(names)
    assert "plan_file" in callback.stdout


@pytest.mark.parametrize("name", NAMES)
def test_examples_and_return_values_are_there(documented: dict[str, Any], name: str) -> None:
    entry = documented[name]
    examples = yaml.safe_load(entry["examples"])
    assert any(f"csv_to_aurora.aws.{name}" in task for task in examples)
    assert entry["return"]


@pytest.mark.parametrize("name", AWS_NAMES)
def test_documented_options_are_those_of_the_module(
    documented: dict[str, Any], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = documented[name]["doc"]["options"]
    spec = argument_spec(name, monkeypatch)
    assert options.keys() == spec.keys()
    for option, taken in spec.items():
        said = options[option]
        assert said.get("type", "str") == taken.get("type", "str"), option
        assert bool(said.get("required")) == bool(taken.get("required")), option
        assert said.get("default") == taken.get("default"), option
        assert said.get("choices") == taken.get("choices"), option
        assert set(said.get("aliases", [])) == set(taken.get("aliases", [])), option


def test_the_action_group_names_every_module_that_connects() -> None:
    runtime = yaml.safe_load((COLLECTION / "meta/runtime.yml").read_text())
    group = [entry for entry in runtime["action_groups"]["aws"] if isinstance(entry, str)]
    assert group == AWS_NAMES


def test_the_readme_names_every_module() -> None:
    readme = (COLLECTION / "README.md").read_text()
    assert [name for name in AWS_NAMES if f"`{name}`" not in readme] == []
