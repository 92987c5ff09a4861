"""What Lambda calls: takes an event apart, hands each file to the importer, reports."""

import os
import time
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from csv_importer.aws import Continuation, S3Store, SecretsManager, TokenSecrets
from csv_importer.errors import ImporterError, Misconfigured, TransientFault
from csv_importer.files import FileVersion, Json, file_of, records_of
from csv_importer.importer import Importer, Outcome, Result
from csv_importer.mysql import MySqlDatabase
from csv_importer.ports import Secrets
from csv_importer.settings import Settings

RESERVE_SECONDS = 15.0
"""Work ends so long before the invocation's time is up: enough to commit and to hand over."""

RESERVE_SHARE = 0.25
"""No more of an invocation's time than this is kept in reserve."""

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
    "Duration": MetricUnit.Seconds,
}


class EventFailed(Exception):
    """Something of an event could not be done now: Lambda tries the event again, then keeps it as failed."""


@logger.inject_lambda_context(clear_state=True)
def handle(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Import the files that an S3 event names.

    Args:
        event: The event. Beside S3's Records it may hold "replay": true, which runs failed imports again.
        context: The invocation.

    Returns:
        What became of each file, under "imports".

    Raises:
        EventFailed: For at least one file a fault outlasted this invocation. What is done is not repeated.
    """
    records = records_of(event)
    if not records:
        logger.info("Nothing to import: the event has no records")
        return {"imports": []}
    settings = _checked_settings()
    invocation = _Invocation(settings, context, replay=event.get("replay") is True)
    try:
        return invocation.work(records)
    finally:
        if metrics.metric_set:
            metrics.flush_metrics()


_adapters: dict[str, Any] = {}


def _checked_settings() -> Settings:
    try:
        return Settings.of(os.environ)
    except Misconfigured as error:
        # The reason says it all; a trace would bury it.
        logger.error("The function is not set up", reason=str(error))  # noqa: TRY400
        raise


def _secrets(settings: Settings) -> Secrets:
    secret = SecretsManager(settings.secret_id, with_password=not settings.iam_login)
    # A client that makes tokens takes a while to load: only where they are used.
    return TokenSecrets(secret) if settings.iam_login else secret


class _Invocation:
    """One invocation."""

    def __init__(self, settings: Settings, context: LambdaContext, *, replay: bool) -> None:
        remaining = context.get_remaining_time_in_millis() / 1000
        self._until = time.monotonic() + remaining - min(RESERVE_SECONDS, remaining * RESERVE_SHARE)
        self._settings = settings
        self._replay = replay
        self._function = context.invoked_function_arn
        if _adapters.get("settings") != settings:
            _adapters.update(settings=settings, store=S3Store(), secrets=_secrets(settings))
        self._importer = Importer(
            store=_adapters["store"],
            database=MySqlDatabase(_adapters["secrets"], settings.ca_file, context.aws_request_id),
            time_left=self._time_left,
            log=logger.info,
            max_reject_ratio=settings.max_reject_ratio,
        )

    def _time_left(self) -> float:
        return self._until - time.monotonic()

    def work(self, records: list[Json]) -> dict[str, Any]:
        """Import the records' files; hand over what time does not suffice for."""
        imports: list[dict[str, Any]] = []
        left: list[Json] = []
        failures: list[str] = []
        for record in records:
            if left and self._time_left() <= 0:
                left.append(record)
                continue
            try:
                version = file_of(record, self._settings.bucket)
                if version is None:
                    logger.info("Nothing to import: the key names a folder")
                    continue
                outcome = self._import(version)
            except ImporterError as error:
                failures.append(str(error))
                metrics.add_metric("ImportErrors", MetricUnit.Count, 1)
                logger.error("The import did not get on", reason=str(error), fault=type(error).__name__)  # noqa: TRY400
                continue
            finally:
                logger.remove_keys(["bucket", "key", "version_id", "import_id"])
            if outcome.result is Result.UNFINISHED:
                left.append(record)
            imports.append(_report(version, outcome))
        if left:
            try:
                Continuation(self._function).send({"Records": left, "replay": self._replay})
            except TransientFault as error:
                failures.append(str(error))
        if failures:
            raise EventFailed(f"{len(failures)} of {len(records)} records: {'; '.join(dict.fromkeys(failures))}")
        return {"imports": imports}

    def _import(self, version: FileVersion) -> Outcome:
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
            "Duration": seconds,
        }
        for name, value in values.items():
            metrics.add_metric(name, _UNITS[name], value)
        log = logger.error if outcome.result is Result.FAILED else logger.info
        log("Import " + outcome.result.value, seconds=round(seconds, 3), **_report(version, outcome))
        return outcome


def _report(version: FileVersion, outcome: Outcome) -> dict[str, Any]:
    """What logs and the caller learn: counts and reasons, never a value of a row."""
    counts = outcome.entry.counts
    return {
        "key": version.key,
        "version_id": version.version_id,
        "import_id": outcome.entry.import_id,
        "result": outcome.result.value,
        "status": outcome.entry.status.value,
        "rows_read": counts.read,
        "rows_loaded": counts.loaded,
        "rows_rejected": counts.rejected,
        "rows_blank": counts.blank,
        "reason": outcome.entry.reason,
    }
