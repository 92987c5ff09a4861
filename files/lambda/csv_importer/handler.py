"""The Lambda handler: hands each object version of an event to the importer, and reports."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from csv_importer.afterwards import Publisher, Tagger
from csv_importer.aws import S3Store, S3Tags, SecretsManager, SelfInvocation, SnsTopic, TokenSecrets
from csv_importer.check import Check
from csv_importer.datasets import Datasets
from csv_importer.errors import ConfigurationError, ImporterError, TransientError
from csv_importer.importer import Importer, Outcome, Result
from csv_importer.limits import DEFAULTS, Limits
from csv_importer.mysql import MySqlDatabase
from csv_importer.objects import Json, ObjectVersion, object_version_of, records_of
from csv_importer.ports import After, Continuation, Secrets, Tags, Topic
from csv_importer.retention import Retention
from csv_importer.settings import Settings

RESERVE_SECONDS = 15.0
"""Seconds before the invocation's timeout at which work ends: enough to commit and to invoke another."""

RESERVE_SHARE = 0.25
"""The largest share of an invocation's time that is kept in reserve."""

logger = Logger(service=os.environ.get("POWERTOOLS_SERVICE_NAME", "csv-importer"))
metrics = Metrics(
    namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "CsvToAurora"),
    service=os.environ.get("POWERTOOLS_SERVICE_NAME", "csv-importer"),
)

_UNITS = {
    "RowsLoaded": MetricUnit.Count,
    "RowsRejected": MetricUnit.Count,
    "ImportsSucceeded": MetricUnit.Count,
    "ImportsFailed": MetricUnit.Count,
    "ImportErrors": MetricUnit.Count,
    "ImportsWithManyRejects": MetricUnit.Count,
    "EventsRefused": MetricUnit.Count,
    "EventsPending": MetricUnit.Count,
    "ObjectsUntagged": MetricUnit.Count,
    "DatasetsOverdue": MetricUnit.Count,
    "ImportsWithoutProgress": MetricUnit.Count,
    "IdentifiersUsed": MetricUnit.Percent,
    "CheckErrors": MetricUnit.Count,
    "Duration": MetricUnit.Seconds,
}


class EventFailed(Exception):
    """An event could not be processed in full: Lambda retries it, then sends it to the dead-letter queue."""


type Handler = Callable[[Mapping[str, Any], LambdaContext], dict[str, Any]]


def make_handler(limits: Limits = DEFAULTS, continuation: Callable[[str], Continuation] = SelfInvocation) -> Handler:
    """Return a handler, which keeps its clients between invocations.

    Args:
        limits: Sizes and times.
        continuation: What resumes the work when time is up, by the function's ARN.
    """
    function = _Function(limits, continuation)

    @logger.inject_lambda_context(clear_state=True)
    def handle(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Import the files that an S3 event names.

        Args:
            event: The event. In addition to S3's Records it may hold "replay": true, which runs failed imports
                again. With "check": true it is the one of the schedule: see csv_importer.check.
            context: The invocation.

        Returns:
            The result of each import, under "imports"; what a check has found, under "check".

        Raises:
            EventFailed: For at least one file an error outlasted this invocation. What is done is not repeated.
        """
        return function.handle(event, context)

    return handle


@dataclass(frozen=True, slots=True)
class _Clients:
    """The clients, and the datasets, for some settings."""

    settings: Settings
    datasets: Datasets
    store: S3Store
    secrets: Secrets
    topic: Topic | None
    tags: Tags | None

    @classmethod
    def of(cls, settings: Settings) -> "_Clients":
        """Read the datasets and create the clients.

        Raises:
            ConfigurationError: A descriptor cannot be used.
        """
        datasets = Datasets.read(settings.datasets_file)
        secret = SecretsManager(settings.secret_id, with_password=not settings.iam_login)
        # A client that signs tokens takes a while to load: only where they are used.
        secrets = TokenSecrets(secret) if settings.iam_login else secret
        topic = SnsTopic(settings.topic) if settings.topic else None
        return cls(settings, datasets, S3Store(), secrets, topic, S3Tags() if settings.tag else None)

    def publisher(self, *, at_any_time: bool = False) -> Publisher | None:
        """Return what publishes events in one invocation; None where there is no topic."""
        if self.topic is None:
            return None
        return Publisher(self.topic, self.settings.source, logger.warning, at_any_time=at_any_time)

    def after(self, publisher: Publisher | None, *, at_any_time: bool = False) -> Sequence[Publisher | Tagger]:
        """Return what does what is left to do once imports have ended, in one invocation."""
        tagger = Tagger(self.tags, logger.warning, at_any_time=at_any_time) if self.tags else None
        return [each for each in (publisher, tagger) if each]


class _Function:
    """The function, in one execution environment."""

    def __init__(self, limits: Limits, continuation: Callable[[str], Continuation]) -> None:
        self._limits = limits
        self._continuation = continuation
        self._clients: _Clients | None = None

    def handle(self, event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Import the files that an event names, or check."""
        if event.get("check") is True:
            return self._check(context)
        records = records_of(event)
        if not records:
            logger.info("Nothing to import: the event has no records")
            return {"imports": []}
        clients = self._checked_clients()
        continuation = self._continuation(context.invoked_function_arn)
        invocation = _Invocation(clients, context, self._limits, continuation, replay=event.get("replay") is True)
        try:
            return invocation.work(records)
        finally:
            if metrics.metric_set:
                metrics.flush_metrics()

    def _check(self, context: LambdaContext) -> dict[str, Any]:
        """Publish what is pending, and report what is found.

        No error is raised: the schedule comes again, and a check is nothing for the dead-letter queue.
        """
        try:
            clients = self._checked_clients()
            until = _end_of(context)
            publisher = clients.publisher(at_any_time=True)
            settings = clients.settings
            database = MySqlDatabase(clients.secrets, settings.ca_file, context.aws_request_id, limits=self._limits)
            check = Check(
                datasets=clients.datasets,
                source=settings.source,
                progress_timeout=settings.progress_timeout,
                after=clients.after(publisher, at_any_time=True),
                time_left=lambda: until - time.monotonic(),
                warn=logger.warning,
            )
            findings = check.run(database.ledger())
        except ImporterError as error:
            values: dict[str, float] = {"CheckErrors": 1}
            logger.error("Check interrupted", reason=str(error), error=type(error).__name__)  # noqa: TRY400
        else:
            values = {
                "CheckErrors": 0,
                "EventsPending": findings.events_pending,
                "ObjectsUntagged": findings.objects_untagged,
                "EventsRefused": publisher.refused if publisher else 0,
                "DatasetsOverdue": findings.datasets_overdue,
                "ImportsWithoutProgress": findings.imports_without_progress,
                "IdentifiersUsed": round(findings.identifiers_used, 3),
            }
            logger.info("Check completed", found=values)
        for name, value in values.items():
            metrics.add_metric(name, _UNITS[name], value)
        metrics.flush_metrics()
        return {"check": values}

    def _checked_clients(self) -> _Clients:
        """Return the clients for the settings of now."""
        try:
            settings = Settings.of(os.environ)
            if self._clients is None or self._clients.settings != settings:
                self._clients = _Clients.of(settings)
        except ConfigurationError as error:
            # Without a stack trace, which would hide the reason.
            logger.error("The function is not configured", reason=str(error))  # noqa: TRY400
            raise
        return self._clients


class _Invocation:
    """One invocation."""

    def __init__(
        self, clients: _Clients, context: LambdaContext, limits: Limits, continuation: Continuation, *, replay: bool
    ) -> None:
        self._until = _end_of(context)
        self._publisher = clients.publisher()
        self._bucket = clients.settings.bucket
        self._continuation = continuation
        self._replay = replay
        self._importer = Importer(
            datasets=clients.datasets,
            store=clients.store,
            database=MySqlDatabase(
                clients.secrets,
                clients.settings.ca_file,
                context.aws_request_id,
                limits=limits,
                after=After(publish=clients.topic is not None, tag=clients.tags is not None),
            ),
            time_left=self._time_left,
            log=logger.info,
            max_reject_ratio=clients.settings.max_reject_ratio,
            max_kept_rejects=clients.settings.max_kept_rejects,
            reject_retention_days=clients.settings.reject_retention_days,
            sessions=clients.settings.sessions,
            after=clients.after(self._publisher),
            retention=self._retention(clients),
            limits=limits,
        )

    def _retention(self, clients: _Clients) -> Retention | None:
        """Return what deletes old imports from the ledger; None where they are kept."""
        days = clients.settings.ledger_retention_days
        if not days:
            return None
        return Retention(
            days=days,
            datasets=clients.datasets,
            exists=clients.store.exists,
            time_left=self._time_left,
            log=logger.info,
        )

    def _time_left(self) -> float:
        return self._until - time.monotonic()

    def work(self, records: list[Json]) -> dict[str, Any]:
        """Import the records' object versions; leave those that time does not suffice for to another invocation."""
        imports: list[dict[str, Any]] = []
        left: list[Json] = []
        unfinished: list[ObjectVersion] = []
        failures: list[str] = []
        for record in records:
            if (left or imports) and self._time_left() <= 0:
                left.append(record)
                continue
            try:
                version = object_version_of(record, self._bucket)
                if version is None:
                    logger.info("Nothing to import: the key names a folder")
                    continue
                outcome = self._import(version)
            except ImporterError as error:
                failures.append(str(error))
                metrics.add_metric("ImportErrors", MetricUnit.Count, 1)
                logger.error("Import interrupted", reason=str(error), error=type(error).__name__)  # noqa: TRY400
                continue
            finally:
                logger.remove_keys(["bucket", "key", "version_id", "import_id"])
            if outcome.result is Result.UNFINISHED:
                left.append(record)
                unfinished.append(outcome.version)
            imports.append(_report(outcome))
        if self._publisher and self._publisher.refused:
            metrics.add_metric("EventsRefused", MetricUnit.Count, self._publisher.refused)
        if left:
            try:
                self._continuation.send({"Records": left, "replay": self._replay})
            except TransientError as error:
                failures.append(str(error))
                for version in unfinished:
                    self._importer.interrupt(version, error)
        if failures:
            raise EventFailed(f"{len(failures)} of {len(records)} records: {'; '.join(dict.fromkeys(failures))}")
        return {"imports": imports}

    def _import(self, version: ObjectVersion) -> Outcome:
        logger.append_keys(bucket=version.bucket, key=version.key, version_id=version.version_id)
        began = time.monotonic()
        outcome = self._importer.run(version, replay=self._replay)
        seconds = time.monotonic() - began
        logger.append_keys(import_id=outcome.entry.import_id)
        values = {
            "RowsLoaded": outcome.added.loaded,
            "RowsRejected": outcome.added.rejected,
            "ImportsSucceeded": int(outcome.result is Result.SUCCEEDED),
            "ImportsFailed": int(outcome.result is Result.FAILED),
            "ImportsWithManyRejects": int(outcome.result in (Result.SUCCEEDED, Result.FAILED) and outcome.many_rejects),
            "Duration": seconds,
        }
        for name, value in values.items():
            metrics.add_metric(name, _UNITS[name], value)
        log = logger.error if outcome.result is Result.FAILED else logger.info
        log("Import " + outcome.result.value, seconds=round(seconds, 3), **_report(outcome))
        return outcome


def _end_of(context: LambdaContext) -> float:
    """Return at which time of time.monotonic work has to end."""
    remaining = context.get_remaining_time_in_millis() / 1000
    return time.monotonic() + remaining - min(RESERVE_SECONDS, remaining * RESERVE_SHARE)


def _report(outcome: Outcome) -> dict[str, Any]:
    """Return what is logged and returned: counts and reasons, never a value of a row."""
    counts = outcome.entry.total
    return {
        "key": outcome.version.key,
        "version_id": outcome.version.version_id,
        "import_id": outcome.entry.import_id,
        "dataset": outcome.entry.dataset,
        "result": outcome.result.value,
        "status": outcome.entry.status.value,
        "rows_read": counts.read,
        "rows_loaded": counts.loaded,
        "rows_rejected": counts.rejected,
        "rows_blank": counts.blank,
        "rejects_kept": outcome.rejects_kept,
        "many_rejects": outcome.many_rejects,
        "reason": outcome.entry.reason,
    }


handle = make_handler()
"""What Lambda calls."""
