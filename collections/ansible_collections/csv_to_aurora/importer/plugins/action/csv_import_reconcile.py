# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Action plugin: list the object versions of a bucket that the ledger does not know, and have them imported.

The bucket is listed from the controller, whose credentials the hosts do not have; the ledger is read on the host, as
the application, whose password the controller does not need.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import boto3
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ansible_collections.csv_to_aurora.aws.plugins.module_utils.common import cause_of
from ansible_collections.csv_to_aurora.importer.plugins.plugin_utils.reconciliation import (
    Comparison,
    ObjectVersion,
    Sender,
    Stalled,
    dataset_of,
    described,
    listed,
)

CLIENT = ("mysql", "--batch", "--raw", "--skip-column-names")
DISPLAYED_EVERY = 15.0
"""Seconds between two lines about the progress."""

_REQUIRED = ("bucket", "suffixes", "datasets", "connection")
_DEFAULTS: Mapping[str, Any] = {
    "prefix": "",
    "versions": "newest",
    "older_than": 15,
    "function": "",
    "report": "",
    "limit": 100,
    "timeout": 900,
    "client": None,
}
# The connection's keys, and the SDK's names for them. What is empty is left to the SDK.
_SESSION = {
    "profile": "profile_name",
    "region": "region_name",
    "access_key": "aws_access_key_id",
    "secret_key": "aws_secret_access_key",
    "session_token": "aws_session_token",
}


class HostLedger:
    """The ledger, read with the client of the host."""

    def __init__(self, query: Callable[[str], list[str]]) -> None:
        """Keep what runs a statement and returns its lines."""
        self._query = query

    def known(self, digests: Collection[str]) -> set[str]:
        """Return those of these object versions that have an import."""
        return self._chosen(digests, "TRUE")

    def taken(self, digests: Collection[str]) -> set[str]:
        """Return those of them whose import has not been interrupted."""
        return self._chosen(digests, "status <> 'interrupted'")

    def _chosen(self, digests: Collection[str], condition: str) -> set[str]:
        if not digests:
            return set()
        # Hexadecimal digits: nothing to quote.
        hashes = ",".join(f"'{digest}'" for digest in digests)
        wanted = f"version_hash IN ({hashes}) AND {condition}"
        return set(self._query(f"SELECT version_hash FROM csv_import WHERE {wanted}"))  # noqa: S608 - digests

    def progress(self) -> str:
        """Return when an import that is running last got on."""
        return "".join(
            self._query("SELECT MAX(updated_at), COUNT(*) FROM csv_import WHERE status IN ('checking', 'running')")
        )


def client_of(service: str, connection: Mapping[str, Any]) -> Any:
    """Return a client of AWS for the connection of the inventory."""
    session = boto3.Session(**{name: connection[key] for key, name in _SESSION.items() if connection.get(key)})
    config = Config(retries={"mode": "standard", "total_max_attempts": 10})
    # The stubs know every service by a literal name, and this one is a variable.
    return session.client(service, endpoint_url=connection.get("endpoint_url") or None, config=config)  # type: ignore[call-overload]


@contextmanager
def _explained(failure: str, fix: str) -> Iterator[None]:
    """Fail the task with cause and fix where AWS refuses or does not answer."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise AnsibleActionFail(f"{failure}: {cause_of(error)}. {fix}.") from None


class ActionModule(ActionBase):
    """Compare bucket and ledger."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what is missing, and what was sent: see the module's documentation.

        Raises:
            AnsibleActionFail: An option is missing or wrong, AWS refuses, the ledger cannot be read, the report cannot
                be written, or the importer does not begin with what was sent.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        options = self._options()
        ledger = HostLedger(lambda statement: self._lines(options["client"] or CLIENT, statement, task_vars))
        before = datetime.now(UTC) - timedelta(minutes=float(options["older_than"]))
        comparison = Comparison(ledger, before)
        sender = self._sender(options, ledger) if options["function"] and not self._task.check_mode else None
        outcome = {"without_dataset": 0, "first": []}
        try:
            with self._report(options["report"]) as report:
                for version in comparison.run(self._watched(self._versions(options), comparison, sender)):
                    self._note(version, options, outcome, report)
                    if sender:
                        self._send(partial(sender.send, version), options)
                if sender:
                    self._send(sender.flush, options)
        except Stalled as stalled:
            raise AnsibleActionFail(
                f"{stalled}. Find out why: the function's log, its alarms, the dead letters. What has not begun by then"
                " is sent by the next run; nothing is imported twice."
            ) from None
        found = {name: getattr(comparison, name) for name in ("versions", "young", "missing", "missing_bytes")}
        sent = {"sent": sender.sent if sender else 0, "events": sender.events if sender else 0}
        result.update(changed=sent["sent"] > 0, reconciled=found | outcome | sent)
        return result

    def _options(self) -> dict[str, Any]:
        """Return the options of the task.

        Raises:
            AnsibleActionFail: One is missing, unknown or wrong.
        """
        arguments = dict(self._task.args)
        for name in _REQUIRED:
            if name not in arguments:
                raise AnsibleActionFail(f"csv_import_reconcile needs the option '{name}'.")
        for name in arguments:
            if name not in (*_REQUIRED, *_DEFAULTS):
                raise AnsibleActionFail(f"csv_import_reconcile has no option '{name}'.")
        options = {**_DEFAULTS, **arguments}
        if options["versions"] not in ("newest", "all"):
            raise AnsibleActionFail(f"versions is '{options['versions']}'; it has to be newest or all.")
        return options

    def _versions(self, options: Mapping[str, Any]) -> Iterator[ObjectVersion]:
        """Yield what is to be compared."""
        bucket = options["bucket"]
        fix = "Check that the bucket exists, and that s3:ListBucketVersions is allowed"
        with _explained(f"Cannot list the object versions of the bucket {bucket}", fix):
            client = client_of("s3", options["connection"])
            pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=options["prefix"])
            yield from listed(pages, bucket, options["suffixes"], newest=options["versions"] == "newest")

    def _sender(self, options: Mapping[str, Any], ledger: HostLedger) -> Sender:
        client = client_of("lambda", options["connection"])

        def invoke(event: bytes) -> None:
            # Asynchronously, so that Lambda retries the event and sends it to the queue, as it does with those of S3.
            client.invoke(FunctionName=options["function"], InvocationType="Event", Payload=event)

        return Sender(invoke, ledger, timeout=float(options["timeout"]))

    def _send(self, action: Callable[[], None], options: Mapping[str, Any]) -> None:
        fix = "Check that lambda:InvokeFunction is allowed, and run this again: nothing is imported twice"
        with _explained(f"Cannot invoke {options['function']}", fix):
            action()

    @contextmanager
    def _report(self, path: str) -> Iterator[TextIO | None]:
        """Open the report, if one is wanted; it takes the place of an older one once it is complete."""
        if not path:
            yield None
            return
        part = Path(f"{path}.part")
        try:
            with part.open("w", encoding="utf-8") as file:
                yield file
            part.replace(path)
        except OSError as error:
            raise AnsibleActionFail(f"The report {path} cannot be written: {error.strerror}.") from None
        finally:
            part.unlink(missing_ok=True)

    def _note(
        self, version: ObjectVersion, options: Mapping[str, Any], outcome: dict[str, Any], report: TextIO | None
    ) -> None:
        """Count a missing object version, list it while there is room, and write it to the report."""
        outcome["without_dataset"] += not dataset_of(options["datasets"], version.key)
        shown = len(outcome["first"]) < int(options["limit"])
        if not shown and report is None:
            return
        entry = described(version, options["datasets"])
        if shown:
            outcome["first"].append(entry)
        if report is not None:
            report.write(json.dumps(entry, ensure_ascii=False) + "\n")

    def _watched(
        self, versions: Iterator[ObjectVersion], comparison: Comparison, sender: Sender | None
    ) -> Iterator[ObjectVersion]:
        """Display the progress, now and then."""
        displayed = time.monotonic()
        for version in versions:
            yield version
            if time.monotonic() - displayed > DISPLAYED_EVERY:
                displayed = time.monotonic()
                sent = f", {sender.sent:,} sent" if sender else ""
                line = f"{comparison.versions:,} object versions compared, {comparison.missing:,} missing{sent}"
                Display().display(f"  {line}")

    def _lines(self, client: Collection[str], statement: str, task_vars: dict[str, Any] | None) -> list[str]:
        """Return the lines that the client of the host prints for a statement.

        Raises:
            AnsibleActionFail: The ledger cannot be read.
        """
        check_mode, self._task.check_mode = self._task.check_mode, False
        try:
            # In standard input, since an argument may have 128 KB.
            response = self._execute_module(
                module_name="ansible.builtin.command",
                module_args={"argv": list(client), "stdin": statement},
                task_vars=task_vars,
            )
        finally:
            self._task.check_mode = check_mode
        if response.get("failed") or response.get("rc"):
            reason = " ".join(str(response.get("stderr") or response.get("msg")).split()).rstrip(".")
            raise AnsibleActionFail(
                f"The ledger cannot be read from the app host: {reason}. "
                "Run playbooks/configure.yml for this environment."
            )
        return str(response["stdout"]).split()
