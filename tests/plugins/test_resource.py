"""The action that compares one resource, refuses, applies, retries and reports; and the kinds that it knows."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec
from emulated_cloud import Cloud
from scripted_play import SCRIPTED, Play, aws_error, play, scripted

from ansible_collections.csv_to_aurora.aws.plugins.action import resource
from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils import kinds, modules

OWNER = {"Project": "shop", "Environment": "stage", "ManagedBy": "ansible"}
SEEN = "{{ {'desired': desired, 'current': current, 'action': action, 'differing': differing} }}"


def task(**options: Any) -> dict[str, Any]:
    """Return a task with the action; without other options it has nothing to do."""
    return {"csv_to_aurora.aws.resource": {"kind": "thing", "name": "t", "current": {}, "desired": {}, **options}}


SMALL = {"size": 1, "tags": OWNER, "id": "t-1", "arn": "arn:t"}
LARGE = {"size": 2, "tags": OWNER}
BROKEN = scripted("broken", answers=[aws_error("ValidationError")])
FAILING = scripted("never", answers=[aws_error("ValidationError")])
"""What must not be applied."""

TASKS: dict[str, dict[str, Any]] = {
    # What has to be done
    "create": task(desired=LARGE, apply=scripted("create", value=SEEN), result_id="thing.id", owner=OWNER),
    "update": task(current=SMALL, desired=LARGE, apply=scripted("update", value=SEEN), owner=OWNER),
    "unchanged": task(current=SMALL, desired={"size": 1, "tags": OWNER}, apply=FAILING, owner=OWNER),
    "delete": task(current=SMALL, remove=scripted("delete", value=SEEN), owner=OWNER),
    "absent": task(remove=FAILING),
    "null": task(current=None, desired=None, remove=FAILING),
    "replace": task(
        current=SMALL,
        desired=LARGE,
        replace_on=["size"],
        remove=scripted("replace", value="{{ action }} 1"),
        apply=scripted("replace", value="{{ action }} 2", answers=[{"changed": True, "new": "t-2"}]),
        result_id="new",
    ),
    "no replacement": task(
        current=SMALL, desired={**SMALL, "arn": "other"}, replace_on=["size"], apply=scripted("n", value="{{ action }}")
    ),
    "create before apply": task(desired=LARGE, create=scripted("create before"), apply=FAILING, update=FAILING),
    "update before apply": task(
        current=SMALL, desired=LARGE, create=FAILING, apply=FAILING, update=scripted("update before")
    ),
    # How it is applied
    "list": task(
        desired=LARGE,
        apply=[
            scripted("list", value=1, answers=[{"changed": True, "found": "t-9", "next": [5, 6]}]),
            {**scripted("list", value=2), "when": "desired.size == 3"},
            {**scripted("list", value=3), "when": ["action == 'create'", "'size' in differing", True]},
            {**scripted("list", value="{{ item }}"), "loop": "{{ result.next | default([7]) }}", "when": "item != 8"},
            {**scripted("list", value="never"), "loop": "{{ current.names | default([]) }}"},
            scripted("list", value="last", answers=[{"changed": False}]),
        ],
        result_id="found",
    ),
    "task loop": {
        **task(
            name="{{ item }}",
            desired=LARGE,
            apply={**scripted("task loop", value="{{ item }}"), "loop": ["x{{ desired.size }}", "y"]},
        ),
        "loop": ["a", "b"],
    },
    "until": task(
        desired=LARGE,
        apply={**scripted("until", answers=[{"changed": True, "done": False}, {"done": True}]), "until": "done"},
    ),
    "until never": task(
        desired=LARGE, timeout=0, apply={**scripted("un", answers=[{"changed": True}]), "until": "done"}
    ),
    "omit": task(desired=LARGE, apply=scripted("omit", optional="{{ desired.colour | default(omit) }}")),
    "module changed nothing": task(
        name="still", desired=LARGE, apply=scripted("nothing", answers=[{"changed": False}])
    ),
    # Not yet
    "retried": task(
        desired=LARGE,
        apply=scripted("retried", answers=[aws_error("InvalidVpcID.NotFound"), {"changed": True, "i": 4}]),
    ),
    "timed out": task(
        desired=LARGE, timeout=0, apply=scripted("timed out", answers=[aws_error("InvalidVpcID.NotFound", "No VPC.")])
    ),
    "not retried": task(
        current=SMALL, remove=scripted("not retried", answers=[aws_error("InvalidVpcID.NotFound", "No VPC.")])
    ),
    "retried when replaced": task(
        current=SMALL,
        desired=LARGE,
        replace_on=["size"],
        remove=scripted("removed"),
        apply=scripted("recreated", answers=[aws_error("InvalidSubnetID.NotFound"), {"changed": True}]),
    ),
    "not retried when replaced": task(
        current=SMALL,
        desired=LARGE,
        replace_on=["size"],
        remove=scripted("missing", answers=[aws_error("InvalidInstanceID.NotFound", "No instance.")]),
        apply=FAILING,
    ),
    # Failures
    "fix of its own": task(desired=LARGE, apply=scripted("fix", answers=[aws_error("UnauthorizedOperation", "No.")])),
    "no AWS error": task(desired=LARGE, apply=scripted("other", answers=[{"failed": True, "msg": "No\n such  size."}])),
    "second of a list fails": task(desired=LARGE, apply=[scripted("second"), BROKEN, scripted("second")]),
    # Refusals
    "foreign": task(
        current={**SMALL, "tags": {"Project": "shop", "Environment": "live"}}, desired=LARGE, owner=OWNER, apply=FAILING
    ),
    "foreign but right": task(current={"size": 2, "tags": {}}, desired={"size": 2}, owner=OWNER, apply=FAILING),
    "foreign to delete": task(current={"size": 2}, owner=OWNER, remove=FAILING),
    "other tags differ": task(
        current={**SMALL, "tags": {**OWNER, "ManagedBy": "hand"}}, desired=LARGE, owner=OWNER, apply=scripted("others")
    ),
    "refused": task(
        current=SMALL,
        desired=LARGE,
        apply=FAILING,
        refuse=[
            {"when": "action == 'delete'", "message": "Not deleted."},
            {"when": "desired.size > current.size", "message": "{{ current.size }} cannot\n  grow."},
            {"when": ["'size' in differing", "action == 'update'"], "message": "Shrink it."},
        ],
    ),
    "nothing to refuse": task(current=SMALL, desired={"size": 1}, refuse=[{"when": True, "message": "Never."}]),
    "needs": task(desired=LARGE, needs={"VPC": "", "subnet": "subnet-1", "gateway": None}, apply=FAILING),
    "needs one": task(current=SMALL, desired=LARGE, needs={"VPC": None}, apply=FAILING),
    "needs nothing to go": task(current=SMALL, needs={"VPC": None}, remove=scripted("gone")),
    # Mistakes in the task
    "option missing": {"csv_to_aurora.aws.resource": {"kind": "thing", "name": "t", "current": {}}},
    "option misspelled": task(desired=LARGE, replce_on=["size"], apply=FAILING),
    "current is a list": task(current=[1], desired=LARGE, apply=FAILING),
    "desired is no mapping": task(desired=False, apply=FAILING),
    "refuse malformed": task(desired=LARGE, refuse=[{"when": True}], apply=FAILING),
}
# Mistakes that are found when something is applied.
MISTAKES: dict[str, dict[str, Any]] = {
    "nothing to apply": task(desired=LARGE, remove=FAILING),
    "nothing to remove": task(current=SMALL, apply=FAILING),
    "apply is text": task(desired=LARGE, apply="{{ something }}"),
    "apply has two modules": task(desired=LARGE, apply={**FAILING, "amazon.aws.s3_bucket": {}}),
    "apply has a short name": task(desired=LARGE, apply={"s3_bucket": {}}),
    "options are text": task(desired=LARGE, apply={SCRIPTED: "{{ 'hunt' ~ 'er2' }}"}),
    "apply has no mapping": task(desired=LARGE, apply=[{"amazon.aws.s3_bucket": ["x"]}]),
}

PLANS = {
    "create": "create",
    "update": "update",
    "unchanged": "none",
    "delete": "delete",
    "absent": "none",
    "null": "none",
    "replace": "replace",
    "no replacement": "update",
    "list": "create",
    "module changed nothing": "create",
    "other tags differ": "update",
    "nothing to refuse": "none",
    "needs nothing to go": "delete",
}
REFUSALS = {
    "foreign": "The thing t exists but does not carry the tag Environment=stage, so it is not managed by this stack",
    "foreign but right": "The thing t exists but does not carry the tag Project=shop, Environment=stage, so it is not",
    "foreign to delete": "The thing t exists but does not carry the tag Project=shop, Environment=stage, so it is not",
    "option missing": "resource needs the option 'desired'.",
    "option misspelled": "resource has no option 'replce_on'. It has apply, create, current, desired,",
    "current is a list": "resource: 'current' of thing t has to be a mapping or null.",
    "desired is no mapping": "resource: 'desired' of thing t has to be a mapping or null.",
    "refuse malformed": "resource: 'refuse' of thing t has to be a list of 'when' and 'message'.",
}
REFUSED = "1 cannot grow. Shrink it."


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Play:
    """All tasks, in a run."""
    return play(tmp_path_factory.mktemp("applied"), TASKS | MISTAKES)


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Play:
    """All tasks, in a play that only plans, of a run."""
    return play(tmp_path_factory.mktemp("planned"), TASKS, check_mode=True)


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Play:
    """All tasks, under --check."""
    return play(tmp_path_factory.mktemp("checked"), TASKS, "--check")


# Comparing


@pytest.mark.parametrize(
    ("current", "desired", "differing"),
    [
        ({}, {}, []),
        ({"a": 1, "b": 2}, {"a": 1}, []),
        ({"a": 1}, {"a": 1, "b": 2}, ["b"]),
        ({"a": 1}, {"a": None}, ["a"]),
        ({}, {"a": None}, []),
        ({"a": [1, 2]}, {"a": [2, 1]}, ["a"]),
        ({"a": {"x": 1}}, {"a": {"x": 1, "y": 2}}, ["a"]),
        ({"a": 1, "b": None}, {}, ["a"]),
        ({"a": "1"}, {"a": 1}, ["a"]),
    ],
)
def test_the_fields_of_desired_are_compared(
    current: dict[str, Any], desired: dict[str, Any], differing: list[str]
) -> None:
    found = resource.differences(current, desired)
    assert [one["field"] for one in found] == differing
    assert all(
        one == {"field": one["field"], "before": current.get(one["field"]), "after": desired.get(one["field"])}
        for one in found
    )


@pytest.mark.parametrize(
    ("current", "desired", "replace_on", "action"),
    [
        ({}, {}, [], "none"),
        ({}, {"a": 1}, ["a"], "create"),
        ({"a": 1}, {}, ["a"], "delete"),
        ({"a": 1}, {"a": 1}, ["a"], "none"),
        ({"a": 1, "b": 1}, {"a": 1, "b": 2}, ["a"], "update"),
        ({"a": 1, "b": 1}, {"a": 2, "b": 2}, ["a"], "replace"),
        ({"a": None}, {}, [], "delete"),
    ],
)
def test_the_action_follows_from_the_comparison(
    current: dict[str, Any], desired: dict[str, Any], replace_on: list[str], action: str
) -> None:
    assert resource.plan_of("thing", "t", current, desired, replace_on).action == action


@pytest.mark.parametrize(
    ("tags", "owner", "foreign"),
    [
        (OWNER, OWNER, {}),
        ({}, {}, {}),
        ({}, {"ManagedBy": "ansible"}, {}),
        ({**OWNER, "Project": "other"}, OWNER, {"Project": "shop"}),
        (None, OWNER, {"Project": "shop", "Environment": "stage"}),
        ({"Project": "shop"}, {"Project": "shop"}, {}),
    ],
)
def test_a_resource_is_foreign_by_its_identity_tags(
    tags: dict[str, str] | None, owner: dict[str, str], foreign: dict[str, str]
) -> None:
    assert resource.foreign_tags({"tags": tags}, owner) == foreign
    if tags is None:
        assert resource.foreign_tags({}, owner) == foreign


@pytest.mark.parametrize("mode", ["applied", "planned", "checked"])
@pytest.mark.parametrize("name", PLANS)
def test_the_plan_is_the_same_in_a_run_in_a_plan_and_under_check(
    mode: str, name: str, request: pytest.FixtureRequest
) -> None:
    result = request.getfixturevalue(mode).results[name]
    assert result["action"] == PLANS[name]
    assert (result["kind"], result["name"]) == ("thing", "still" if name == "module changed nothing" else "t")
    assert result["planned"] == (mode != "applied")
    assert result["changed"] == (PLANS[name] != "none" and mode != "planned")
    pending = {"changes_pending": True} if PLANS[name] != "none" and mode != "applied" else None
    assert result.get("ansible_facts") == pending
    assert result["differing"] == [one["field"] for one in result["differences"]]
    assert bool(result["differing"]) == (PLANS[name] != "none")
    assert result["refusals"] == []
    assert not result["failed"]


@pytest.mark.parametrize("mode", ["planned", "checked"])
def test_nothing_is_applied_that_is_only_planned(mode: str, request: pytest.FixtureRequest) -> None:
    found: Play = request.getfixturevalue(mode)
    assert list(found.folder.glob("*.json")) == [found.folder / "results.json"]
    assert all(result["seconds"] == 0 for name, result in found.results.items() if name in PLANS)


def test_a_result_has_the_differences_and_a_diff(applied: Play) -> None:
    update, create, delete = (applied.results[name] for name in ("update", "create", "delete"))
    assert update["differences"] == [{"field": "size", "before": 1, "after": 2}]
    assert update["diff"] == {
        "before_header": "thing t",
        "after_header": "thing t",
        "before": {"size": 1},
        "after": {"size": 2},
    }
    assert create["diff"]["before"] == {}
    assert create["diff"]["after"] == LARGE
    assert delete["diff"]["before"] == SMALL
    assert delete["diff"]["after"] == {}
    assert "diff" not in applied.results["unchanged"]


# Applying


def test_what_is_applied_may_use_the_comparison(applied: Play) -> None:
    assert applied.values("create") == [
        {"desired": LARGE, "current": {}, "action": "create", "differing": ["size", "tags"]}
    ]
    assert applied.values("update") == [{"desired": LARGE, "current": SMALL, "action": "update", "differing": ["size"]}]
    assert applied.values("delete") == [{"desired": {}, "current": SMALL, "action": "delete", "differing": list(SMALL)}]


def test_what_is_right_is_not_touched(applied: Play) -> None:
    assert applied.calls("never") == []
    assert applied.results["unchanged"]["id"] == "t-1"


def test_a_replacement_removes_before_it_creates(applied: Play) -> None:
    assert applied.values("replace") == ["replace 1", "replace 2"]
    assert applied.values("n") == ["update"]


def test_create_and_update_come_before_apply(applied: Play) -> None:
    assert len(applied.calls("create before")) == len(applied.calls("update before")) == 1


def test_a_list_is_applied_in_order_with_conditions_loops_and_the_result_before(applied: Play) -> None:
    assert applied.values("list") == [1, 3, 7, "last"]
    assert applied.results["list"]["result"]["changed"] is False
    assert applied.results["list"]["changed"] is True


def test_the_item_of_an_entry_s_loop_stands_for_the_task_s(applied: Play) -> None:
    assert applied.values("task loop") == ["x2", "y", "x2", "y"]
    assert [one["name"] for one in applied.results["task loop"]["results"]] == ["a", "b"]


def test_a_module_is_run_until_its_result_is_as_wanted(applied: Play) -> None:
    assert len(applied.calls("until")) == 2
    assert applied.results["until"]["changed"] is True
    assert applied.results["until never"]["msg"] == (
        "The thing t could not be created within 0 s (the change before it is in progress). Correct that and run the "
        "same command again: what is done already stays."
    )


def test_omit_leaves_an_option_out(applied: Play) -> None:
    assert [call["optional"] for call in applied.calls("omit")] == [None]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("create", None),
        ("update", "t-1"),
        ("unchanged", "t-1"),
        ("delete", None),
        ("replace", "t-2"),
        ("list", "t-9"),
    ],
)
def test_the_id_is_the_current_one_or_that_of_the_module_s_result(applied: Play, name: str, found: str | None) -> None:
    assert applied.results[name]["id"] == found


def test_what_does_not_exist_yet_has_no_id_in_a_plan(planned: Play) -> None:
    assert planned.results["create"]["id"] is None
    assert planned.results["update"]["id"] == "t-1"


def test_a_module_that_changes_nothing_is_warned_of(applied: Play) -> None:
    assert applied.results["module changed nothing"]["changed"] is True
    # A warning is folded at the terminal's width.
    output = " ".join(applied.output.split())
    assert "The thing still differs (size, tags), but no module changed it." in output
    assert output.count("but no module changed it") == 1


def test_the_result_of_the_last_module_comes_without_its_arguments(applied: Play) -> None:
    assert applied.results["retried"]["result"]["i"] == 4
    assert "invocation" not in applied.results["retried"]["result"]


# Not yet


def test_not_yet_is_tried_again_until_it_succeeds(applied: Play) -> None:
    first, second = applied.calls("retried")
    assert second["began"] - first["ended"] >= 1
    assert applied.results["retried"]["failed"] is False
    assert applied.results["retried"]["seconds"] >= 1


def test_not_yet_for_too_long_is_a_failure(applied: Play) -> None:
    assert len(applied.calls("timed out")) == 1
    assert applied.results["timed out"]["msg"] == (
        "The thing t could not be created within 0 s (the new id is not known everywhere): InvalidVpcID.NotFound: No "
        "VPC. Correct that and run the same command again: what is done already stays."
    )
    assert applied.results["timed out"]["result"]["error"]["code"] == "InvalidVpcID.NotFound"


def test_not_yet_depends_on_the_action(applied: Play) -> None:
    assert len(applied.calls("not retried")) == 1
    assert applied.results["not retried"]["msg"] == (
        "The thing t could not be deleted: InvalidVpcID.NotFound: No VPC. Correct that and run the same command again: "
        "what is done already stays."
    )


def test_of_a_replacement_not_yet_depends_on_the_step(applied: Play) -> None:
    assert (len(applied.calls("removed")), len(applied.calls("recreated"))) == (1, 2)
    assert applied.results["retried when replaced"]["failed"] is False
    assert len(applied.calls("missing")) == 1
    assert applied.results["not retried when replaced"]["msg"].startswith(
        "The thing t could not be replaced: InvalidInstanceID.NotFound: No instance."
    )


class Clock:
    """Time that passes only in sleep."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """An action whose module is throttled forever, with time that does not have to pass."""
    clock = Clock()
    shown: list[str] = []
    monkeypatch.setattr(resource, "time", clock)
    monkeypatch.setattr(resource, "Display", lambda: SimpleNamespace(display=shown.append))
    action = resource.ActionModule.__new__(resource.ActionModule)
    action._task = SimpleNamespace(args={}, no_log=False)
    monkeypatch.setattr(action, "call", lambda _call, _variables: aws_error("SlowDown", "Slow down."))
    return SimpleNamespace(action=action, clock=clock, shown=shown)


def test_pauses_grow_and_each_wait_is_shown_now_and_then(waiting: SimpleNamespace) -> None:
    plan = resource.plan_of("bucket", "customers", {}, {"a": 1}, [])
    with pytest.raises(
        Exception, match=r"^The bucket customers could not be created within 300 s \(AWS limits the rate"
    ):
        waiting.action.call_until_accepted(modules.Call("a.b.c", {}), plan, "create", {})
    assert waiting.clock.pauses[:6] == [1, 2, 4, 8, 10, 10]
    assert 290 <= sum(waiting.clock.pauses) <= 300
    assert waiting.shown[0] == "  waiting: bucket customers: AWS limits the rate of calls (25 s)"
    assert 10 <= len(waiting.shown) <= 15


@pytest.mark.parametrize(("timeout", "pauses"), [(0, []), ("7", [1, 2, 4]), (None, None)])
def test_the_timeout_is_an_option(waiting: SimpleNamespace, timeout: object, pauses: list[int] | None) -> None:
    waiting.action._task.args["timeout"] = timeout
    with pytest.raises(Exception, match="could not be created within"):
        waiting.action.call_until_accepted(
            modules.Call("a.b.c", {}), resource.plan_of("bucket", "c", {}, {"a": 1}, []), "create", {}
        )
    assert waiting.clock.pauses == pauses or (pauses is None and len(waiting.clock.pauses) > 20)


# Failures


def test_a_failure_is_one_sentence_with_cause_and_fix(applied: Play) -> None:
    assert applied.results["fix of its own"]["msg"] == (
        "The thing t could not be created: UnauthorizedOperation: No. These credentials lack that permission: "
        "docs/permissions.md says how to give it to them."
    )
    assert applied.results["no AWS error"]["msg"] == (
        "The thing t could not be created: No such size. Correct that and run the same command again: what is done "
        "already stays."
    )


def test_nothing_is_applied_after_a_failure(applied: Play) -> None:
    assert len(applied.calls("second")) == 1
    assert applied.results["second of a list fails"]["failed"] is True


@pytest.mark.parametrize(
    ("code", "fix"),
    [
        ("AccessDenied", "docs/permissions.md"),
        ("ExpiredToken", "log in again"),
        ("AuthFailure", "log in again"),
        ("VpcLimitExceeded", "Service Quotas"),
        ("DBClusterQuotaExceededFault", "Service Quotas"),
        ("TooManyBuckets", "Service Quotas"),
        ("RequestLimitExceeded", modules.FIX),
        ("InsufficientInstanceCapacity", "another instance type or availability zone"),
        ("InsufficientDBInstanceCapacity", "another instance type or availability zone"),
        ("DependencyViolation", "does not manage uses it"),
        ("BucketAlreadyExists", "choose another project or bucket_name"),
        ("ValidationError", modules.FIX),
        ("", modules.FIX),
    ],
)
def test_the_fix_follows_from_the_code(code: str, fix: str) -> None:
    said = modules.sentence("The thing t could not be created", {"error": {"code": code, "message": "It  is\nso."}})
    assert said.startswith(f"The thing t could not be created: {code}{': ' if code else ''}It is so. ")
    assert fix in said


def test_a_code_that_is_said_already_is_not_repeated() -> None:
    result = {"error": {"code": "SlowDown", "message": "SlowDown: later"}}
    assert modules.sentence("It failed", result).startswith("It failed: SlowDown: later. ")


@pytest.mark.parametrize(
    ("exception", "text"),
    [
        ("Traceback of it", "Traceback of it"),
        (SimpleNamespace(event=SimpleNamespace(formatted_traceback="Traceback", msg="It broke")), "Traceback"),
        (SimpleNamespace(event=SimpleNamespace(formatted_traceback=None, msg="It broke")), "It broke"),
    ],
)
def test_an_exception_is_kept_as_text(exception: object, text: str) -> None:
    assert modules.traceback_of(exception) == text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing to apply", "resource: thing t has to be created, and 'apply' is missing."),
        ("nothing to remove", "resource: thing t has to be deleted, and 'remove' is missing."),
        ("apply is text", "resource: 'apply' of thing t has to be one module by its full name with a mapping of its "),
        ("apply has two modules", "resource: 'apply' of thing t has to be one module by its full name"),
        ("apply has a short name", "resource: 'apply' of thing t has to be one module by its full name"),
        # Not with the text, which may hold a secret.
        ("options are text", "The options of example.cloud.scripted have to be a mapping."),
        ("apply has no mapping", "resource: 'apply' of thing t has to be one module by its full name"),
    ],
)
def test_a_mistake_in_a_task_is_named(applied: Play, name: str, said: str) -> None:
    assert applied.results[name]["msg"].startswith(said)
    assert "hunter2" not in applied.output


def test_the_connection_s_options_are_those_of_aws_modules() -> None:
    names = {name for option, spec in aws_argument_spec().items() for name in (option, *spec.get("aliases", []))}
    assert names == modules.CONNECTION


# Refusals


@pytest.mark.parametrize("mode", ["applied", "planned", "checked"])
@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_foreign_or_malformed_is_refused_in_every_mode(
    mode: str, name: str, request: pytest.FixtureRequest
) -> None:
    result = request.getfixturevalue(mode).results[name]
    assert result["failed"] is True
    assert result["msg"].startswith(REFUSALS[name])


@pytest.mark.parametrize("mode", ["applied", "planned"])
def test_a_refusal_fails_a_run_and_its_plan(mode: str, request: pytest.FixtureRequest) -> None:
    result = request.getfixturevalue(mode).results["refused"]
    assert result["failed"] is True
    assert result["msg"] == REFUSED


def test_under_check_a_refusal_is_reported_with_the_difference(checked: Play) -> None:
    result = checked.results["refused"]
    assert not result["failed"]
    assert (result["action"], result["changed"]) == ("update", True)
    assert " ".join(result["refusals"]) == REFUSED


def test_parents_are_needed_when_something_is_applied(applied: Play, planned: Play, checked: Play) -> None:
    assert applied.results["needs"]["msg"] == (
        "The thing t needs the VPC and the gateway, which do not exist yet. Create them first: run "
        "playbooks/site.yml without --tags."
    )
    assert applied.results["needs one"]["msg"].startswith(
        "The thing t needs the VPC, which does not exist yet. Create it first: "
    )
    assert len(applied.calls("gone")) == 1
    assert [found.results["needs"]["action"] for found in (planned, checked)] == ["create", "create"]


@pytest.mark.parametrize("mode", [{}, {"check_mode": True}])
def test_a_refusal_ends_the_run(tmp_path: Path, mode: dict[str, bool]) -> None:
    refused = {
        "refuse": TASKS["refused"] | {"ignore_errors": False},
        "next": task(desired=LARGE, apply=scripted("next")),
    }
    ended = play(tmp_path, refused, **mode)
    assert ended.returncode == 2
    assert ended.calls("next") == []
    assert f"FAILED: {REFUSED}" in " ".join(ended.output.split())


# The connection, and secrets


def test_modules_get_the_connection_of_the_group_and_no_secret_is_shown(tmp_path: Path) -> None:
    connection = {"region": "eu-west-1", "access_key": "AKIATEST", "secret_key": "{{ 'key' ~ '-of-the-account' }}"}
    secret = task(
        kind="secret",
        name="password",
        current={"value": "old-{{ 'pass' }}word"},
        desired={"value": "new-{{ 'pass' }}word"},
        apply=scripted(
            "secret", value="{{ desired.value }}", answers=[{"changed": True, "echo": "{{ desired.value }}"}]
        ),
    )
    broken = {"apply": scripted("broken", answers=[{"failed": True, "msg": "{{ desired.value }} is too short"}])}
    failing = {"csv_to_aurora.aws.resource": {**secret["csv_to_aurora.aws.resource"], **broken}}
    tasks = {
        "open": task(desired=LARGE, apply=scripted("open", region="eu-central-1")),
        "secret": secret | {"no_log": True},
        "broken": failing | {"no_log": True},
    }
    run = play(tmp_path, tasks, "-vvvv", "--diff", module_defaults={"group/csv_to_aurora.aws.aws": connection})
    assert run.calls("open")[0]["connection"] == {
        "region": "eu-central-1",
        "access_key": "AKIATEST",
        "secret_key": "key-of-the-account",
    }
    assert run.values("secret") == ["new-password"]
    assert run.results["broken"]["msg"].startswith(
        "The secret password could not be updated: what was said is hidden, for no_log. "
    )
    for word in ("new-password", "old-password", "key-of-the-account"):
        assert word not in run.output
    # Without no_log it would be there.
    assert "thing t" in run.output


# Kinds

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


TOPIC = "arn:aws:sns:eu-west-1:123456789012"


def policy(*actions: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}


def alarm(**changes: Any) -> dict[str, Any]:
    return {
        "description": "Errors of the function",
        "namespace": "AWS/Lambda",
        "metric": "Errors",
        "dimensions": {"FunctionName": "importer"},
        "statistic": "Sum",
        "period": 60,
        "evaluation_periods": 1,
        "comparison": "GreaterThanOrEqualToThreshold",
        "threshold": 1.0,
        "missing_data": "notBreaching",
        "actions": [],
        "ok_actions": [],
        "no_data_actions": [],
        **changes,
    }


ROLE = {
    "description": "Runs the importer",
    "trust_policy": TRUST,
    "permissions_boundary": "arn:aws:iam::123456789012:policy/boundary",
    "managed_policies": [],
    "policies": {"kept": policy("s3:GetObject"), "changed": policy("s3:PutObject"), "removed": policy("s3:ListBucket")},
    "tags": OWNER,
}
STEPS: dict[str, list[dict[str, Any]]] = {
    "log group": [{"retention": 30, "tags": OWNER}, {"retention": 0, "tags": {**OWNER, "Team": "b"}}, {}],
    "IAM role": [
        ROLE,
        {
            **ROLE,
            "description": "Runs the other importer",
            "permissions_boundary": "arn:aws:iam::123456789012:policy/other-boundary",
            "policies": {"kept": policy("s3:GetObject"), "changed": policy("s3:Put*"), "added": policy("sqs:*")},
            "tags": {**OWNER, "Team": "b"},
        },
        {},
    ],
    "CloudWatch alarm": [
        alarm(),
        alarm(
            threshold=5.0,
            period=300,
            dimensions={"FunctionName": "other"},
            actions=[f"{TOPIC}:a"],
            ok_actions=[f"{TOPIC}:b"],
            no_data_actions=[f"{TOPIC}:c"],
        ),
        {},
    ],
}
READ: dict[str, dict[str, Any]] = {
    "groups": {"amazon.aws.cloudwatchlogs_log_group_info": {"log_group_name": "kinds"}},
    "role": {"amazon.aws.iam_role_info": {"name": "kinds"}},
    "policies": {
        "amazon.aws.iam_policy_info": {"iam_type": "role", "iam_name": "kinds"},
        "when": "exists",
    },
    "alarms": {"amazon.aws.cloudwatch_metric_alarm_info": {"alarm_names": ["kinds"]}},
}


def current(gathered: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the state of each kind."""
    return {
        "log group": kinds.log_groups_current(gathered["groups"]).get("kinds", {}),
        "IAM role": kinds.iam_role_current(gathered["role"], gathered["policies"]),
        "CloudWatch alarm": kinds.alarms_current(gathered["alarms"]).get("kinds", {}),
    }


def test_kinds_are_created_updated_and_deleted_without_apply(cloud: Cloud, tmp_path: Path) -> None:
    defaults = {"group/csv_to_aurora.aws.aws": cloud.connection}
    found: dict[str, dict[str, Any]] = {kind: {} for kind in STEPS}
    for step, action in enumerate(("create", "update", "delete")):
        tasks = {
            kind: task(kind=kind, name="kinds", current=found[kind], desired=desired[step])
            for kind, desired in STEPS.items()
        }
        read = {"csv_to_aurora.aws.gather": {"modules": READ}, "vars": {"exists": action != "delete"}}
        folder = tmp_path / action
        folder.mkdir()
        run = play(folder, {**tasks, "read": read}, module_defaults=defaults)
        assert [run.results[kind].get("msg") for kind in tasks if run.results[kind]["failed"]] == []
        assert {run.results[kind]["action"] for kind in tasks} == {action}
        assert "no module changed it" not in run.output
        found = current(run.results["read"])
        # What was read back is what was desired, so that a second run changes nothing.
        for kind, desired in STEPS.items():
            assert resource.differences(found[kind], desired[step]) == [], kind
            assert bool(found[kind]) == (action != "delete")


def test_of_a_role_only_the_policies_that_differ_are_written() -> None:
    calls = kinds.KINDS["IAM role"]("r", ROLE, STEPS["IAM role"][1])
    assert [(call.module, call.arguments.get("policy_name"), call.arguments.get("state")) for call in calls] == [
        ("amazon.aws.iam_role", None, None),
        ("amazon.aws.iam_role", None, None),
        ("amazon.aws.iam_policy", "added", None),
        ("amazon.aws.iam_policy", "changed", None),
        ("amazon.aws.iam_policy", "removed", "absent"),
    ]


@pytest.mark.parametrize("found", ["", "arn:aws:iam::123456789012:policy/other-boundary"])
def test_a_role_gets_its_permissions_boundary_before_anything_else(found: str) -> None:
    """A deployer may write the policies of a role that has the boundary, and of no other."""
    first, *others = kinds.KINDS["IAM role"]("r", {**ROLE, "permissions_boundary": found}, {**ROLE, "trust_policy": {}})
    assert first.module == "amazon.aws.iam_role"
    assert first.arguments["boundary"] == ROLE["permissions_boundary"]
    assert first.arguments["assume_role_policy_document"] == TRUST
    assert not {"tags", "managed_policies", "description"} & first.arguments.keys()
    assert others[0].arguments["assume_role_policy_document"] == {}


def test_a_role_without_a_permissions_boundary_is_created_without_one() -> None:
    """The module would pass an empty one on to CreateRole, which takes none."""
    role, *_ = kinds.KINDS["IAM role"]("r", {}, {**ROLE, "permissions_boundary": ""})
    assert "boundary" not in role.arguments


def test_a_role_that_is_replaced_gets_all_of_its_policies_again() -> None:
    action = resource.ActionModule.__new__(resource.ActionModule)
    action._task = SimpleNamespace(args={}, no_log=False)
    plan = resource.plan_of("IAM role", "r", ROLE, {**ROLE, "trust_policy": {}}, ["trust_policy"])
    names = [
        (call.module, call.arguments.get("policy_name"), call.arguments.get("state")) for _, call in action.calls(plan)
    ]
    assert names == [
        ("amazon.aws.iam_role", None, "absent"),
        ("amazon.aws.iam_role", None, None),
        *(("amazon.aws.iam_policy", name, None) for name in ("changed", "kept", "removed")),
    ]


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("log group", {}),
        ("log group", {"groups": {"log_groups": None}}),
        (
            "IAM role",
            {"role": {"iam_roles": []}, "policies": {"policies": [{"policy_name": "p", "policy_document": {}}]}},
        ),
        ("CloudWatch alarm", {"alarms": {"metric_alarms": None}}),
    ],
)
def test_what_was_not_found_is_an_empty_state(kind: str, found: dict[str, Any]) -> None:
    empty: dict[str, Any] = {name: {} for name in READ}
    assert current({**empty, **found})[kind] == {}


def test_what_an_api_leaves_out_has_its_default() -> None:
    groups = kinds.log_groups_current({"log_groups": [{"log_group_name": "g"}]})
    assert groups == {"g": {"arn": None, "retention": 0, "tags": {}}}
    role = kinds.iam_role_current({"iam_roles": [{"arn": "a", "assume_role_policy_document": TRUST}]}, {})
    assert role == {
        "arn": "a",
        "description": "",
        "trust_policy": TRUST,
        "permissions_boundary": "",
        "managed_policies": [],
        "policies": {},
        "tags": {},
    }
    assert kinds.alarms_current({"metric_alarms": [{"alarm_name": "a"}]})["a"]["missing_data"] == "missing"


def test_every_kind_is_in_the_documentation() -> None:
    text = (Path(resource.__file__).parents[1] / "modules/resource.py").read_text()
    assert [kind for kind in kinds.KINDS if f"V({kind})" not in text] == []


def test_results_can_be_written_as_json(applied: Play) -> None:
    assert json.loads(json.dumps(applied.results)) == applied.results
