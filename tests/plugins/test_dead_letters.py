"""The filter that reads object versions from the messages of a dead-letter queue."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.csv_to_aurora.importer.plugins.filter.dead_letters import dead_letters
from csv_importer.objects import object_version_of

BUCKET = "customers"


def record(key: str, **thing: str) -> dict[str, Any]:
    return {"s3": {"bucket": {"name": BUCKET}, "object": {"key": key, **thing}}}


def message(body: object, **more: Any) -> dict[str, Any]:
    return {"message_id": "m-1", "body": body if isinstance(body, str) else json.dumps(body), **more}


@pytest.mark.parametrize(
    "given",
    [
        record("plain.csv", versionId="v1", eTag="e1"),
        record("M%C3%A4rz+%26+Co+%2B1%25.csv", versionId="v1", eTag="e1"),
        record("unversioned.csv", eTag="e1"),
        record("suspended.csv", eTag="e1", versionId="null"),
        record("bare.csv"),
    ],
    ids=lambda given: given["s3"]["object"]["key"],
)
def test_a_record_is_the_file_version_that_the_importer_sees(given: dict[str, Any]) -> None:
    expected = object_version_of(given, BUCKET)
    assert expected is not None
    ((found,),) = [letter["files"] for letter in dead_letters([message({"Records": [given]})])]
    assert found == {
        "bucket": expected.bucket,
        "key": expected.key,
        "version_id": expected.version_id,
        "etag": expected.etag,
        "version_hash": expected.digest,
    }


def test_the_bare_event_of_a_dead_letter_queue_and_the_envelope_of_a_destination_are_the_same_files() -> None:
    event = {"Records": [record("one.csv", versionId="v1"), record("two.csv", versionId="v1")]}
    sent = {"SentTimestamp": "1795464941000"}
    bare = message(event, attributes=sent, message_attributes={"ErrorMessage": "no route"})
    envelope = message(
        {"version": "1.0", "requestPayload": event, "responsePayload": {"errorMessage": "no route"}}, attributes=sent
    )
    first, second = dead_letters([bare, envelope])
    assert first == second
    assert [file["key"] for file in first["files"]] == ["one.csv", "two.csv"]
    assert first["reason"] == "no route"
    assert first["sent_at"] == "2026-11-23T20:15:41Z"


def test_a_file_named_twice_is_run_once() -> None:
    event = {"Records": [record("one.csv", versionId="v1"), record("one.csv", versionId="v1", sequencer="2")]}
    assert len(dead_letters([message(event)])[0]["files"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not JSON",
        "[]",
        "null",
        {"Event": "s3:TestEvent"},
        {"Records": None},
        {"Records": ["x", {"s3": None}, {"s3": {"bucket": {"name": BUCKET}, "object": {}}}]},
        {"requestPayload": None},
        {"Records": [record("folder/")]},
    ],
    ids=str,
)
def test_a_message_without_a_file_is_listed_as_such(body: object) -> None:
    (letter,) = dead_letters([message(body)])
    assert letter == {"message_id": "m-1", "sent_at": None, "reason": "", "files": []}


def test_anything_but_messages_is_an_error_that_names_the_module() -> None:
    with pytest.raises(AnsibleFilterError, match="sqs_message_info"):
        dead_letters({"messages": []})
