"""The documentation of the collections agrees with the options of their modules, and ansible-doc can show it."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest
import yaml
from ansible_collections.amazon.aws.plugins.module_utils import modules as aws_modules
from playbook_runner import PROJECT, ansible_command

COLLECTIONS = PROJECT / "collections/ansible_collections/csv_to_aurora"
AWS = COLLECTIONS / "aws"
NAMES = sorted(
    f"csv_to_aurora.{path.parents[2].name}.{path.stem}" for path in COLLECTIONS.glob("*/plugins/modules/*.py")
)
# Those that run on the controller have an action plugin, and their module file is documentation.
AWS_MODULES = sorted(
    path.stem for path in AWS.glob("plugins/modules/*.py") if not (AWS / f"plugins/action/{path.name}").exists()
)


def documentation(kind: str, *names: str) -> dict[str, Any]:
    """Return what ansible-doc has of each of these plugins."""
    run = ansible_command("ansible-doc", f"--type={kind}", "--json", *names)
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


@pytest.fixture(scope="module")
def documented() -> dict[str, Any]:
    """What ansible-doc has of each module."""
    return documentation("module", *NAMES)


def argument_spec(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the options of a module, its connection options included."""

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


def test_ansible_doc_renders_every_module_filter_and_callback() -> None:
    modules = ansible_command("ansible-doc", "--type=module", *NAMES)
    importer = [f"csv_to_aurora.importer.{path.stem}" for path in COLLECTIONS.glob("importer/plugins/filter/*.py")]
    filters = ansible_command("ansible-doc", "--type=filter", *importer)
    callbacks = [f"csv_to_aurora.aws.{path.stem}" for path in AWS.glob("plugins/callback/*.py")]
    callback = ansible_command("ansible-doc", "--type=callback", *callbacks)
    for run in (modules, filters, callback):
        assert run.returncode == 0, run.stderr
        assert "ERROR" not in run.stderr
    assert [name for name in NAMES if f"{name}:" not in modules.stdout] == []
    assert modules.stdout.count("EXAMPLES:") == len(NAMES)
    assert "plan_file" in callback.stdout


@pytest.mark.parametrize("name", NAMES)
def test_examples_and_return_values_are_there(documented: dict[str, Any], name: str) -> None:
    entry = documented[name]
    examples = yaml.safe_load(entry["examples"])
    assert any(name in task for task in examples)
    assert entry["return"]


@pytest.mark.parametrize("name", AWS_MODULES)
def test_documented_options_are_those_of_the_module(
    documented: dict[str, Any], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = documented[f"csv_to_aurora.aws.{name}"]["doc"]["options"]
    spec = argument_spec(name, monkeypatch)
    assert options.keys() == spec.keys()
    for option, taken in spec.items():
        said = options[option]
        assert said.get("type", "str") == taken.get("type", "str"), option
        assert bool(said.get("required")) == bool(taken.get("required")), option
        assert said.get("default") == taken.get("default"), option
        assert said.get("choices") == taken.get("choices"), option
        assert set(said.get("aliases", [])) == set(taken.get("aliases", [])), option


@pytest.mark.parametrize("name", AWS_MODULES)
def test_every_module_says_why_no_collection_serves_and_whether_it_could_go_there(
    documented: dict[str, Any], name: str
) -> None:
    notes = documented[f"csv_to_aurora.aws.{name}"]["doc"]["notes"]
    (reason,) = [note for note in notes if note.startswith("Why this module: ")]
    assert "amazon.aws" in reason or "community.aws" in reason
    assert " could go to " in reason or " should go to " in reason


def test_the_action_group_names_everything_that_connects(documented: dict[str, Any]) -> None:
    runtime = yaml.safe_load((AWS / "meta/runtime.yml").read_text())
    group = [entry for entry in runtime["action_groups"]["aws"] if isinstance(entry, str)]
    connecting = [name for name, entry in documented.items() if "endpoint_url" in entry["doc"]["options"]]
    assert group == sorted(name.removeprefix("csv_to_aurora.aws.") for name in connecting)


def test_the_readmes_name_every_module_and_the_filter_of_the_importer() -> None:
    importer = [
        path.stem for kind in ("modules", "filter") for path in COLLECTIONS.glob(f"importer/plugins/{kind}/*.py")
    ]
    for collection, names in (("aws", AWS_MODULES), ("importer", importer)):
        readme = (COLLECTIONS / collection / "README.md").read_text()
        assert names
        assert [name for name in names if f"`{name}`" not in readme] == []
