"""The action that runs several modules side by side, read-only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from emulated_cloud import Cloud
from scripted_play import Play, aws_error, play, scripted

from ansible_collections.csv_to_aurora.aws.plugins.action.gather import ActionModule
from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.modules import Call


def gather(modules: object, **keywords: Any) -> dict[str, Any]:
    """Return a task with the action."""
    return {"csv_to_aurora.aws.gather": {"modules": modules}, **keywords}


def answer(call: str, **values: Any) -> dict[str, Any]:
    return scripted(call, answers=[{"changed": True, **values}])


LARGE = "x" * 300_000
"""More than a pipe takes at once."""
MANY = {f"thing_{number}": answer(f"many {number}", number=number) for number in range(10)}
TASKS: dict[str, dict[str, Any]] = {
    "together": gather({name: scripted(name, together=list("abcd"), answers=[{"name": name}]) for name in "abcd"}),
    "many": gather(MANY),
    "large": gather({name: answer(f"large {name}", text=LARGE) for name in "ab"}),
    "conditions": gather(
        {
            "yes": {**answer("yes"), "when": "limit == 3"},
            "no": {**answer("no", value="{{ not_there_yet.id }}"), "when": "not_there_yet is defined"},
            "all": {**answer("all"), "when": ["limit > 1", True]},
            "false": {**answer("false"), "when": False},
            "templated": answer("templated", limit="{{ limit }}", optional="{{ nothing | default(omit) }}"),
        }
    ),
    "none": gather({}),
    "loop": {**gather({"one": answer("loop {{ item }}", item="{{ item }}")}), "loop": ["a", "b"]},
    "fails": gather(
        {
            "db_cluster": answer("fine"),
            "log_group": scripted("fails", answers=[aws_error("AccessDeniedException", "Not you.")]),
            "other": scripted("fails too", answers=[aws_error("InternalError")]),
        }
    ),
    "passes": gather(
        {
            "vpcs": scripted(
                "comes", answers=[aws_error("InvalidVpcID.NotFound"), aws_error("Throttling"), {"number": 3}]
            ),
            "subnets": answer("is there", number=1),
        }
    ),
    "ends": gather({"one": scripted("ends", end=True), "two": answer("beside")}),
    "template fails": gather({"one": answer("undefined", value="{{ not_there_yet.id }}")}),
    "no check mode": gather({"bucket": {"amazon.aws.s3_bucket": {"name": "written-to"}}}),
    "no such module": gather({"one": {"example.cloud.missing": {}}}),
    "no modules": {"csv_to_aurora.aws.gather": {}},
    "misspelled": {"csv_to_aurora.aws.gather": {"modules": {}, "module": {}}},
    "two modules": gather({"one": {**scripted("x"), "amazon.aws.s3_bucket_info": {}}}),
    "loop in an entry": gather({"one": {**scripted("x"), "loop": [1]}}),
    "list": gather([scripted("x")]),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Play:
    connection = {"region": "eu-west-1", "secret_key": "{{ 'key' ~ '-of-the-account' }}"}
    defaults = {"group/csv_to_aurora.aws.aws": connection}
    folder = tmp_path_factory.mktemp("gather")
    return play(folder, TASKS, '--extra-vars={"limit": 3}', module_defaults=defaults)


def test_modules_run_side_by_side(run: Play) -> None:
    # Each of them ends when all have begun.
    assert not run.results["together"]["failed"]
    assert [run.results["together"][name]["name"] for name in "abcd"] == list("abcd")


def test_each_result_is_under_its_key_however_many_there_are(run: Play) -> None:
    assert {name: run.results["many"][name]["number"] for name in MANY} == {
        name: number for number, name in enumerate(MANY)
    }


def test_no_more_than_eight_run_at_once(run: Play) -> None:
    calls = [run.calls(f"many {number}")[0] for number in range(len(MANY))]
    for call in calls:
        beside = [other for other in calls if other["began"] <= call["ended"] and other["ended"] >= call["began"]]
        assert len(beside) <= 8


def test_a_large_result_comes_whole(run: Play) -> None:
    assert [run.results["large"][name]["text"] for name in "ab"] == [LARGE, LARGE]


def test_nothing_counts_as_changed_and_no_arguments_are_kept(run: Play) -> None:
    assert {result["changed"] for name, result in run.results.items() if name != "loop"} == {False}
    assert "invocation" not in run.results["many"]["thing_1"]


def test_modules_only_read_and_tell_their_diff_in_a_run(run: Play) -> None:
    call = run.calls("many 1")[0]
    assert (call["check_mode"], call["diff"]) == (True, True)


def test_modules_get_the_connection_of_the_group(run: Play) -> None:
    assert run.calls("many 1")[0]["connection"] == {"region": "eu-west-1", "secret_key": "key-of-the-account"}


def test_a_module_whose_condition_does_not_hold_is_not_run_and_not_templated(run: Play) -> None:
    found = run.results["conditions"]
    assert not found["failed"]
    assert [name for name in ("yes", "no", "all", "false", "templated") if found[name]] == ["yes", "all", "templated"]
    assert (found["no"], found["false"]) == ({}, {})
    assert run.calls("no") == run.calls("false") == []


def test_options_are_templated_and_omitted(run: Play) -> None:
    assert run.results["conditions"]["templated"]["limit"] == 3
    assert "optional" not in run.results["conditions"]["templated"]


def test_nothing_to_run_is_an_empty_result(run: Play) -> None:
    assert {key for key in run.results["none"] if key not in ("changed", "failed")} == set()


def test_in_a_loop_each_item_is_gathered(run: Play) -> None:
    assert [one["one"]["item"] for one in run.results["loop"]["results"]] == ["a", "b"]
    assert len(run.calls("loop a")) == len(run.calls("loop b")) == 1


def test_the_first_failure_in_order_is_reported_in_one_sentence(run: Play) -> None:
    found = run.results["fails"]
    assert found["failed"] is True
    assert found["msg"] == (
        "Information about log group could not be gathered (example.cloud.scripted): AccessDeniedException: Not you. "
        "These credentials lack that permission: docs/permissions.md says how to give it to them."
    )
    assert found["result"]["error"]["code"] == "AccessDeniedException"
    # The others were not held up by it.
    assert len(run.calls("fine")) == len(run.calls("fails too")) == 1


def test_what_comes_or_goes_meanwhile_is_asked_for_again_and_nothing_else(run: Play) -> None:
    found = run.results["passes"]
    assert (found["vpcs"]["number"], found["subnets"]["number"]) == (3, 1)
    assert (len(run.calls("comes")), len(run.calls("is there"))) == (3, 1)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ends", "Information about one could not be gathered (example.cloud.scripted): "),
        ("template fails", "'not_there_yet' is undefined"),
        # Skipped, it would pass for a bucket that does not exist.
        ("no check mode", "Information about bucket could not be gathered (amazon.aws.s3_bucket): "),
        ("no such module", "Information about one could not be gathered (example.cloud.missing): "),
        ("no modules", "gather needs the option 'modules'."),
        ("misspelled", "gather has no option 'module'. It has modules."),
        (
            "two modules",
            "gather: 'one' has to be one module by its full name with a mapping of its options, and may have",
        ),
        ("loop in an entry", "gather: 'one' has to be one module by its full name with a mapping of its options"),
        ("list", "gather: 'modules' has to be a mapping."),
    ],
)
def test_mistakes_are_named(run: Play, name: str, said: str) -> None:
    assert run.results[name]["failed"] is True
    assert said in run.results[name]["msg"]


def test_a_module_s_process_ends_whatever_becomes_of_its_result(monkeypatch: pytest.MonkeyPatch) -> None:
    action = ActionModule.__new__(ActionModule)
    monkeypatch.setattr(action, "call", lambda _call, _variables: {"text": LARGE})
    monkeypatch.setattr(action, "cleanup", lambda: None)
    reading, writing = os.pipe()
    os.close(reading)
    child = os.fork()
    if child == 0:
        try:
            action._answer(Call("a.b.c", {}), {}, writing)
        finally:
            # Nobody reads, and here the task would go on a second time.
            os._exit(7)
    os.close(writing)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_without_pipelining_no_module_and_no_argument_stays_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_PIPELINING", "false")
    monkeypatch.setenv("ANSIBLE_REMOTE_TEMP", str(tmp_path / "remote"))
    found = play(tmp_path, {"read": gather({"one": answer("one", secret="hunter2"), "two": answer("two")})})
    assert not found.results["read"]["failed"]
    assert list((tmp_path / "remote").iterdir()) == []


def test_no_process_is_left_and_no_secret_shown(run: Play) -> None:
    assert run.returncode == 0
    assert "key-of-the-account" not in run.output
    assert "Traceback" not in run.output


@pytest.mark.parametrize("check", [[], ["--check"]])
def test_what_aws_knows_is_gathered_also_under_check(cloud: Cloud, tmp_path: Path, check: list[str]) -> None:
    cloud.client("s3").create_bucket(
        Bucket=f"gathered-{len(check)}", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    modules = {
        "bucket": {"amazon.aws.s3_bucket_info": {"name": f"gathered-{len(check)}"}},
        "role": {"amazon.aws.iam_role_info": {"name": "missing"}},
        # Not an info module: what it would change shows the state.
        "queue": {"csv_to_aurora.aws.sqs_queue": {"name": "missing"}},
    }
    defaults = {"group/csv_to_aurora.aws.aws": cloud.connection}
    found = play(tmp_path, {"read": gather(modules)}, *check, module_defaults=defaults).results["read"]
    assert not found["failed"], found.get("msg")
    assert [bucket["name"] for bucket in found["bucket"]["buckets"]] == [f"gathered-{len(check)}"]
    assert found["role"]["iam_roles"] == []
    assert found["queue"]["diff"]["before"] == {}
    assert not cloud.client("sqs").list_queues(QueueNamePrefix="missing").get("QueueUrls")
