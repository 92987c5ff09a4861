"""Who holds a lock, and what to do about it, in sentences."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.csv_to_aurora.aws.plugins.filter.lock import lock_holder, lock_process, lock_refusal

LOCK: dict[str, Any] = {
    "id": "5f0c3a91",
    "owner": "arn:aws:iam::123456789012:user/somebody",
    "host": "build-7",
    "process": 4711,
    "since": "2026-11-26T10:20:30Z",
    "seconds": 185,
    "abandoned": None,
}
UNLOCK = "ansible-playbook playbooks/unlock.yml -i inventories/dev"


def test_holder() -> None:
    assert lock_holder(LOCK) == (
        "arn:aws:iam::123456789012:user/somebody on build-7, process 4711, since 2026-11-26 10:20:30 UTC (3 minutes)"
    )
    assert "process" not in lock_holder(LOCK | {"process": 0})


@pytest.mark.parametrize(
    ("abandoned", "said"), [(None, "Only that machine"), (False, "The process runs"), (True, "The process has ended")]
)
def test_process(abandoned: bool | None, said: str) -> None:
    assert lock_process(LOCK | {"abandoned": abandoned}).startswith(said)


@pytest.mark.parametrize(
    ("abandoned", "advice"),
    [
        (None, "Wait until it has ended. If it is gone for good, break the lock: "),
        (False, "Wait until it has ended. If it is gone for good, break the lock: "),
        (True, "it was killed. Break the lock: "),
    ],
)
def test_refusal_says_who_and_how_to_go_on(abandoned: bool | None, advice: str) -> None:
    said = lock_refusal({"lock": LOCK | {"abandoned": abandoned}}, "csv-to-aurora-dev", UNLOCK)
    assert said.startswith(f"Another run is changing csv-to-aurora-dev: {lock_holder(LOCK)}. ")
    assert said.endswith(f"{advice}{UNLOCK} -e lock_id=5f0c3a91")


def test_refusal_without_a_lock_is_what_the_module_said() -> None:
    assert lock_refusal({"msg": "Cannot read the lock."}, "a", UNLOCK) == "Cannot read the lock."
    assert lock_refusal({"lock": None}, "a", UNLOCK) == "The lock could not be acquired."
