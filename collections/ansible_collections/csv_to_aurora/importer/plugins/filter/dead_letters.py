# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Return which object versions the messages of the function's dead-letter queue (DLQ) are about."""

from __future__ import annotations

DOCUMENTATION = r"""
name: dead_letters
version_added: "1.0.0"
short_description: Return which object versions the messages of a dead-letter queue are about
description:
  - Reads the S3 events that Lambda discarded after all retries, from the messages that
    M(csv_to_aurora.aws.sqs_message_info) returns.
  - Lambda sends the event itself to the dead-letter queue (DLQ) of a function, and an invocation record with the event
    in C(requestPayload) to an on-failure destination. Both forms are read.
  - It knows keys, versions and hashes as this project's importer writes them to its ledger, and cannot go to another
    collection.
author:
  - The csv-to-aurora authors (@csv-to-aurora)
positional: _input
options:
  _input:
    description:
      - The messages.
    type: list
    elements: dict
    required: true
seealso:
  - module: csv_to_aurora.aws.sqs_message_info
"""

EXAMPLES = r"""
- name: Read the failed events
  csv_to_aurora.aws.sqs_message_info:
    name: importer-dlq
  register: failed

- name: Show which object versions they are about
  ansible.builtin.debug:
    msg: "{{ failed.messages | csv_to_aurora.importer.dead_letters | map(attribute='files') | flatten }}"
"""

RETURN = r"""
_value:
  description: One item for each message, in the same order.
  type: list
  elements: dict
  contains:
    message_id:
      description: Id of the message.
      type: str
      sample: 5fea7756-0ea4-451a-a703-a558b933e274
    sent_at:
      description: When the message was sent, in ISO 8601 and UTC. Null where the message has no such attribute.
      type: str
      sample: "2026-11-23T20:15:41Z"
    reason:
      description: Message of the function's last error. Empty where the message has none.
      type: str
      sample: the server cannot be reached (MySQL error 2003)
    files:
      description:
        - The object versions, each once. None when the message has no S3 event, or only keys that end in a slash.
        - C(version_id) is C(etag:) and the ETag for an object without a version id, and C(version_hash) is the SHA-256
          of bucket, key and version, both as in the table C(csv_import).
      type: list
      elements: dict
      sample:
        - bucket: customers
          key: März & Co.csv
          version_id: 3sL4kqtJlcpXroDTDmJ
          etag: d41d8cd98f00b204e9800998ecf8427e
          version_hash: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

from ansible.errors import AnsibleFilterError


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _file(record: object) -> dict[str, str] | None:
    """Return the object version of a record as the importer sees it; None where there is none."""
    s3 = _mapping(_mapping(record).get("s3"))
    bucket = _mapping(s3.get("bucket")).get("name")
    thing = _mapping(s3.get("object"))
    if not bucket or not thing.get("key"):
        return None
    key = unquote_plus(str(thing["key"]))
    if key.endswith("/"):
        return None
    etag = str(thing.get("eTag") or "")
    version_id = str(thing.get("versionId") or "null")
    if version_id == "null":
        version_id = f"etag:{etag}"
    return {
        "bucket": str(bucket),
        "key": key,
        "version_id": version_id,
        "etag": etag,
        "version_hash": hashlib.sha256(f"{bucket}\0{key}\0{version_id}".encode()).hexdigest(),
    }


def _dead_letter(message: Mapping[str, Any]) -> dict[str, Any]:
    try:
        body = _mapping(json.loads(message["body"]))
    except json.JSONDecodeError:
        body = {}
    event = _mapping(body["requestPayload"]) if "requestPayload" in body else body
    records = event.get("Records")
    files = [_file(record) for record in records] if isinstance(records, list) else []
    reason = _mapping(body.get("responsePayload")).get("errorMessage")
    if reason is None:
        # A message of a dead-letter queue has the error in its attributes.
        reason = _mapping(message.get("message_attributes")).get("ErrorMessage")
    sent = _mapping(message.get("attributes")).get("SentTimestamp")
    return {
        "message_id": message["message_id"],
        "sent_at": None if sent is None else f"{datetime.fromtimestamp(int(sent) // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "reason": str(reason or ""),
        "files": list({file["version_hash"]: file for file in files if file}.values()),
    }


def dead_letters(messages: object) -> list[dict[str, Any]]:
    """Return which object versions the messages of a dead-letter queue are about.

    Args:
        messages: What sqs_message_info returns as messages.

    Returns:
        One item for each message: see RETURN.

    Raises:
        AnsibleFilterError: The input is not a list of messages.
    """
    if not isinstance(messages, list) or any(not {"message_id", "body"} <= _mapping(m).keys() for m in messages):
        raise AnsibleFilterError("dead_letters needs the messages that csv_to_aurora.aws.sqs_message_info returns.")
    return [_dead_letter(message) for message in messages]


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Any]:
        """Return the filter by its name."""
        return {"dead_letters": dead_letters}
