"""Events, as Lambda delivers them: S3 over HTTP, a real database."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csv_importer import handler
from csv_importer.errors import ConfigurationError
from csv_importer.handler import EventFailed
from csv_importer.limits import Limits
from csv_importer.objects import ObjectVersion, object_version_of, records_of
from csv_importer.settings import Settings

from .conftest import BUCKET, Cloud, Context, Database, Invoke, record_for, secret_of
from .files import GOOD, HEADER, lines_of

ONE = lines_of(GOOD)


@pytest.fixture
def limits() -> Limits:
    """No waiting, and several blocks, enough for several sessions, in a file of a few thousand rows."""
    return Limits(retry_timeout=0.0, block_bytes=64 * 1024, max_record_bytes=32 * 1024, session_bytes=64 * 1024)


def results(answer: dict[str, Any]) -> list[str]:
    return [each["result"] for each in answer["imports"]]


# Keys


@pytest.mark.parametrize(
    "key",
    [
        "plain.csv",
        "with space.csv",
        "plus+sign.csv",
        "percent%20twice%2B.csv",
        "quotes'and\"more.csv",
        "überall/日本語/😀.csv",
        "UPPER.CSV",
        "back\\slash&ampersand=1;2,3.csv",
        "x" * 1024,
        "é" * 510 + ".csv",
    ],
)
def test_any_key_is_found_and_recorded(cloud: Cloud, database: Database, invoke: Invoke, key: str) -> None:
    assert results(invoke(cloud.put(key, ONE))) == ["succeeded"]
    assert database.ledger()[0]["object_key"] == key
    assert len(database.customers()) == 1


@given(
    key=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(
        lambda key: not key.endswith("/")
    )
)
@settings(max_examples=200)
def test_a_key_is_decoded_once(key: str) -> None:
    assert object_version_of(record_for(key, "v", "e"), BUCKET) == ObjectVersion(BUCKET, key, "v", "e")


def test_the_ledger_has_what_orders_versions(cloud: Cloud, database: Database, invoke: Invoke) -> None:
    record = cloud.put("ordered.csv", ONE)
    record["s3"]["object"]["sequencer"] = "0055aed6e500"
    assert results(invoke(record)) == ["succeeded"]
    modified = cloud.s3.head_object(Bucket=BUCKET, Key="ordered.csv")["LastModified"]
    (entry,) = database.ledger()
    assert entry["object_modified"] == modified.replace(tzinfo=None)
    assert entry["sequencer"] == "0055AED6E5"


@given(sequencers=st.lists(st.text("0123456789abcdefABCDEF", min_size=1, max_size=20), min_size=2, max_size=5))
def test_sequencers_are_ordered_as_s3_has_it(sequencers: list[str]) -> None:
    """The shorter one is filled up with zeros on its right."""

    def kept(text: str) -> str:
        record = record_for("a", "v", "e")
        record["s3"]["object"]["sequencer"] = text
        version = object_version_of(record, BUCKET)
        assert version is not None
        return version.sequencer

    assert sorted(sequencers, key=kept) == sorted(sequencers, key=lambda text: text.upper().ljust(20, "0"))


def test_a_folder_is_ignored(cloud: Cloud, database: Database, invoke: Invoke) -> None:
    assert invoke(cloud.put("folder.csv/", b"")) == {"imports": []}
    assert database.ledger() == []


# Events


@pytest.mark.parametrize(
    "event",
    [
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET},
        {},
        {"Records": []},
        {"Records": None},
        {"Records": "none"},
        {"something": ["else"]},
    ],
)
def test_an_event_without_records_is_ignored(event: dict[str, Any]) -> None:
    assert handler.handle(event, Context()) == {"imports": []}  # type: ignore[arg-type]


@pytest.mark.parametrize("event", [None, [], "text", 5])
def test_anything_else_has_no_records(event: object) -> None:
    assert records_of(event) == []


def test_the_same_event_twice_is_one_import(cloud: Cloud, database: Database, invoke: Invoke) -> None:
    record = cloud.put("twice.csv", ONE)
    assert results(invoke(record)) == ["succeeded"]
    assert results(invoke(record)) == ["duplicate"]
    assert results(invoke(record, record)) == ["duplicate", "duplicate"]
    assert len(database.customers()) == 1


def test_two_versions_of_a_key_are_two_imports_in_any_order(cloud: Cloud, database: Database, invoke: Invoke) -> None:
    first = cloud.put("versions.csv", ONE)
    second = cloud.put("versions.csv", lines_of("Mr,Charles,Babbage,1,charles@example.org,79"))
    assert results(invoke(second)) == ["succeeded"]
    assert results(invoke(first)) == ["succeeded"]
    assert [row[1] for row in database.customers()] == ["Charles", "Ada"]


def test_a_version_that_is_gone_is_recorded_as_failed(cloud: Cloud, database: Database, invoke: Invoke) -> None:
    record = cloud.put("gone.csv", ONE)
    cloud.s3.delete_object(Bucket=BUCKET, Key="gone.csv", VersionId=record["s3"]["object"]["versionId"])
    assert results(invoke(record)) == ["failed"]
    assert "gone" in database.ledger()[0]["reason"]


def test_a_version_behind_a_delete_marker_is_still_read(cloud: Cloud, database: Database, invoke: Invoke) -> None:
    record = cloud.put("deleted.csv", ONE)
    cloud.s3.delete_object(Bucket=BUCKET, Key="deleted.csv")
    assert results(invoke(record)) == ["succeeded"]
    assert len(database.customers()) == 1


def test_one_bad_record_fails_alone(cloud: Cloud, database: Database, invoke: Invoke) -> None:
    records = [
        cloud.put("a.csv", ONE),
        record_for("b.csv", "v", "e", bucket="elsewhere"),
        {"s3": "nonsense"},
        cloud.put("c.csv", b"\x1f\x8b"),
        cloud.put("d.csv", ONE),
    ]
    with pytest.raises(EventFailed, match="2 of 5 records"):
        invoke(*records)
    assert [(entry["object_key"], entry["status"]) for entry in database.ledger()] == [
        ("a.csv", "succeeded"),
        ("c.csv", "failed"),
        ("d.csv", "succeeded"),
    ]
    with pytest.raises(EventFailed):
        invoke(*records)
    assert len(database.customers()) == 2


def test_an_event_of_another_bucket_is_refused(database: Database, invoke: Invoke) -> None:
    with pytest.raises(EventFailed, match="'elsewhere'; this function serves 'importer-tests' only"):
        invoke(record_for("a.csv", "v", "e", bucket="elsewhere"))
    assert database.ledger() == []


@pytest.mark.parametrize(
    "spelling",
    [
        {"versionId": None},
        {"versionId": "null"},
        {"versionId": "", "eTag": None},
        {"versionId": None, "eTag": "quoted"},
    ],
)
def test_a_version_that_an_event_names_otherwise_is_imported_once(
    cloud: Cloud, database: Database, invoke: Invoke, spelling: dict[str, str | None]
) -> None:
    record = cloud.put("spelt.csv", ONE)
    otherwise = json.loads(json.dumps(record))
    otherwise["s3"]["object"] |= spelling
    if spelling.get("eTag") == "quoted":
        otherwise["s3"]["object"]["eTag"] = f'"{record["s3"]["object"]["eTag"]}"'
    first, second = invoke(record), invoke(otherwise)
    assert results(first) + results(second) == ["succeeded", "duplicate"]
    assert first["imports"][0]["version_id"] == second["imports"][0]["version_id"]
    assert len(database.customers()) == 1
    assert [entry["version_id"] for entry in database.ledger()] == [record["s3"]["object"]["versionId"]]


def test_an_etag_that_is_not_the_objects_imports_nothing(cloud: Cloud, database: Database, invoke: Invoke) -> None:
    record = cloud.put("etag.csv", ONE)
    assert results(invoke(record)) == ["succeeded"]
    record["s3"]["object"] |= {"versionId": None, "eTag": record["s3"]["object"]["eTag"].upper() + "0"}
    assert results(invoke(record)) == ["failed"]
    assert len(database.customers()) == 1


@pytest.fixture
def unversioned(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a bucket without versioning, which the function serves."""
    name = "unversioned-tests"
    cloud.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    monkeypatch.setenv("BUCKET_NAME", name)
    yield name
    cloud.s3.delete_object(Bucket=name, Key="unversioned.csv")
    cloud.s3.delete_bucket(Bucket=name)


def test_without_versions_an_object_that_was_replaced_is_not_mixed_up(
    cloud: Cloud, database: Database, invoke: Invoke, unversioned: str
) -> None:
    etag = cloud.s3.put_object(Bucket=unversioned, Key="unversioned.csv", Body=ONE)["ETag"]
    record = record_for("unversioned.csv", "null", etag, unversioned)
    assert results(invoke(record)) == ["succeeded"]
    assert database.ledger()[0]["version_id"] == f"etag:{etag}".replace('"', "")
    for spelling in ("", None, etag):
        record["s3"]["object"]["eTag"] = spelling
        assert results(invoke(record)) == ["duplicate"]
    cloud.s3.put_object(Bucket=unversioned, Key="unversioned.csv", Body=lines_of(GOOD, GOOD))
    record["s3"]["object"]["eTag"] = "0" * 32
    assert results(invoke(record)) == ["failed"]
    assert "replaced" in database.ledger()[1]["reason"]
    assert len(database.customers()) == 1


def test_a_failed_import_is_run_again_by_a_replay_only(
    cloud: Cloud, database: Database, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_REJECT_RATIO", "0")
    record = cloud.put("replayed.csv", ONE + b"too,short\n")
    assert results(invoke(record)) == ["failed"]
    monkeypatch.delenv("MAX_REJECT_RATIO")
    assert results(invoke(record)) == ["duplicate"]
    assert results(invoke(record, replay=True)) == ["succeeded"]
    assert results(invoke(record, replay=True)) == ["duplicate"]
    assert len(database.customers()) == 1


# Time


@pytest.fixture
def sent(invoke: Invoke) -> list[dict[str, Any]]:
    """The events that the function invokes itself with."""
    events: list[dict[str, Any]] = []

    class Recorder:
        def __init__(self, function: str) -> None:
            assert function == Context.invoked_function_arn

        def send(self, event: Mapping[str, object]) -> None:
            events.append(json.loads(json.dumps(event)))

    invoke.continuation = Recorder
    return events


def test_out_of_time_it_invokes_itself_for_the_rest(
    cloud: Cloud, database: Database, invoke: Invoke, sent: list[dict[str, Any]]
) -> None:
    records = [cloud.put(f"long-{number}.csv", lines_of(*[GOOD] * 6_000)) for number in range(3)]
    answer = invoke(*records, milliseconds=0)
    assert results(answer) == ["unfinished"]
    assert 0 < len(database.customers()) < 6_000
    rounds = 0
    while sent:
        event = sent.pop()
        rounds += 1
        invoke(*event["Records"], milliseconds=0)
    assert rounds > 3
    assert len(database.customers()) == 18_000
    assert {entry["status"] for entry in database.ledger()} == {"succeeded"}


def test_a_continuation_that_is_refused_fails_the_event(cloud: Cloud, database: Database, invoke: Invoke) -> None:
    """The emulator has no such function: as on AWS when recursion is stopped, the event is retried."""
    record = cloud.put("long.csv", lines_of(*[GOOD] * 3_000))
    with pytest.raises(EventFailed, match="could not be invoked to continue"):
        invoke(record, milliseconds=0)
    assert results(invoke(record)) == ["succeeded"]
    assert len(database.customers()) == 3_000


def test_a_file_is_begun_in_time_or_left_to_the_next_invocation(
    *,
    cloud: Cloud,
    database: Database,
    invoke: Invoke,
    sent: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MAX_REJECT_RATIO", "0.5")
    first, second = cloud.put("first.csv", ONE), cloud.put("second.csv", ONE)
    assert results(invoke(first, second, milliseconds=0)) == ["succeeded"]
    (event,) = sent
    assert event["Records"] == [second]
    assert [entry["object_key"] for entry in database.ledger()] == ["first.csv"]


# Settings and the secret


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"BUCKET_NAME": "b"}, "SECRET_ID is not set"),
        ({"SECRET_ID": "s"}, "BUCKET_NAME is not set"),
        ({"SECRET_ID": "s", "BUCKET_NAME": "b", "MAX_REJECT_RATIO": "2"}, "MAX_REJECT_RATIO is '2'"),
        ({"SECRET_ID": "s", "BUCKET_NAME": "b", "MAX_REJECT_RATIO": "nan"}, "MAX_REJECT_RATIO is 'nan'"),
        ({"SECRET_ID": "s", "BUCKET_NAME": "b", "MAX_REJECT_RATIO": "10 %"}, "MAX_REJECT_RATIO is '10 %'"),
        ({"SECRET_ID": "s", "BUCKET_NAME": "b", "MAX_KEPT_REJECTS": "-1"}, "MAX_KEPT_REJECTS is '-1'"),
        ({"SECRET_ID": "s", "BUCKET_NAME": "b", "MAX_KEPT_REJECTS": "1e3"}, "MAX_KEPT_REJECTS is '1e3'"),
        ({"SECRET_ID": "s", "BUCKET_NAME": "b", "MAX_KEPT_REJECTS": "9" * 5000}, "MAX_KEPT_REJECTS is '999"),
        ({"SECRET_ID": "s", "BUCKET_NAME": "b", "IMPORT_SESSIONS": "0"}, "SESSIONS is .0.: .* from 1 to 16"),
        ({"SECRET_ID": "s", "BUCKET_NAME": "b", "IMPORT_SESSIONS": "17"}, "IMPORT_SESSIONS is '17'"),
        ({"SECRET_ID": "s", "BUCKET_NAME": "b", "IMPORT_SESSIONS": "auto"}, "IMPORT_SESSIONS is 'auto'"),
        ({"SECRET_ID": "s", "BUCKET_NAME": "b", "REJECT_RETENTION_DAYS": "³"}, "REJECT_RETENTION_DAYS is '³'"),
        ({"SECRET_ID": "s", "BUCKET_NAME": "b", "REJECT_RETENTION_DAYS": "40000"}, "a whole number from 0 to 36500"),
        ({"SECRET_ID": "s", "BUCKET_NAME": "b", "LEDGER_RETENTION_DAYS": "14"}, "has to be 0, or 15 at least"),
    ],
)
def test_a_wrong_setting_is_named(environment: dict[str, str], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        Settings.of(environment)


def test_a_share_that_nothing_exceeds_is_not_checked() -> None:
    environment = {"SECRET_ID": "s", "BUCKET_NAME": "b", "MAX_REJECT_RATIO": "1"}
    assert Settings.of(environment).max_reject_ratio is None
    assert Settings.of({**environment, "MAX_REJECT_RATIO": "0.5"}).max_reject_ratio == 0.5


@pytest.mark.parametrize(("text", "sessions"), [(None, 1), ("", 1), ("1", 1), ("16", 16)])
def test_an_import_has_one_session_unless_it_is_said(text: str | None, sessions: int) -> None:
    said = {} if text is None else {"IMPORT_SESSIONS": text}
    assert Settings.of({"SECRET_ID": "s", "BUCKET_NAME": "b", **said}).sessions == sessions


@pytest.mark.parametrize("sessions", [1, 2])
def test_how_many_sessions_an_import_has_is_a_setting(
    cloud: Cloud, invoke: Invoke, lines: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, sessions: int
) -> None:
    monkeypatch.setenv("IMPORT_SESSIONS", str(sessions))
    (report,) = invoke(cloud.put("large.csv", lines_of(*[GOOD] * 6_000)))["imports"]
    assert (report["result"], report["rows_loaded"]) == ("succeeded", 6_000)
    used = [line["sessions"] for line in lines if line["message"] == "Loading through several sessions"]
    assert used == ([] if sessions == 1 else [sessions])


def test_how_many_rejects_are_kept_is_a_setting(
    cloud: Cloud, database: Database, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_KEPT_REJECTS", "2")
    (report,) = invoke(cloud.put("many.csv", lines_of(GOOD, *["bad"] * 5)))["imports"]
    assert (report["rows_rejected"], report["rejects_kept"]) == (5, 2)
    assert "MAX_KEPT_REJECTS" in report["reason"]
    assert len(database.rejects()) == 2


def test_a_secret_that_does_not_exist_is_named(cloud: Cloud, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_ID", "no/such/secret")
    with pytest.raises(EventFailed, match="secret 'no/such/secret' does not exist"):
        invoke(cloud.put("a.csv", ONE))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hunter2 is no JSON", "is not JSON"),
        ('["hunter2"]', "is not a JSON object"),
        ('{"rds_password": "hunter2"}', "lacks rds_writer_endpoint, rds_port, rds_username, rds_db"),
        (
            '{"rds_writer_endpoint": "h", "rds_port": "hunter2", "rds_username": "u", "rds_password": 1, "rds_db": 1}',
            "rds_port is no number",
        ),
    ],
)
def test_a_malformed_secret_is_named_and_never_shown(
    *,
    cloud: Cloud,
    invoke: Invoke,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
    reason: str,
) -> None:
    secrets = boto3.client("secretsmanager")
    name = f"malformed-{abs(hash(text))}"
    secrets.create_secret(Name=name, SecretString=text)
    monkeypatch.setenv("SECRET_ID", name)
    with pytest.raises(EventFailed, match=reason) as caught:
        invoke(cloud.put("a.csv", ONE))
    shown = capsys.readouterr()
    assert "hunter2" not in str(caught.value) + shown.out + shown.err


def test_a_password_rotated_between_invocations_is_fetched_again(
    cloud: Cloud, database: Database, invoke: Invoke
) -> None:
    invoke(cloud.put("a.csv", ONE))
    database.query(f"ALTER USER {database.user} IDENTIFIED BY 'new'")
    boto3.client("secretsmanager").put_secret_value(
        SecretId=f"importer/{database.name}", SecretString=json.dumps({**secret_of(database), "rds_password": "new"})
    )
    assert results(invoke(cloud.put("b.csv", ONE))) == ["succeeded"]


# Logs and metrics


def test_logs_hold_what_happened_and_no_personal_data(
    cloud: Cloud, invoke: Invoke, lines: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    answer = invoke(cloud.put("in/a.csv", lines_of(GOOD, "Mr,Secretperson,b,n/a,secret@example.org,1")))
    (report,) = answer["imports"]
    last = lines[-1]
    for name in ("key", "version_id", "import_id", "result", "rows_loaded", "rows_rejected"):
        assert last[name] == report[name]
    assert last["function_request_id"] == Context.aws_request_id
    shown = capsys.readouterr()
    text = json.dumps(lines) + json.dumps(answer) + shown.out + shown.err
    for private in ("Ada", "Lovelace", "ada@example.org", "Secretperson", "secret@example.org"):
        assert private not in text


def test_metrics_count_rows_and_failures(cloud: Cloud, invoke: Invoke, capsys: pytest.CaptureFixture[str]) -> None:
    invoke(cloud.put("good.csv", lines_of(GOOD, "bad")), cloud.put("bad.csv", b"PK\x03\x04"))
    metrics = next(json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line)
    assert metrics["RowsLoaded"] == [1.0, 0.0]
    assert metrics["RowsRejected"] == [1.0, 0.0]
    assert metrics["ImportsSucceeded"] == [1.0, 0.0]
    assert metrics["ImportsFailed"] == [0.0, 1.0]
    assert len(metrics["Duration"]) == 2
    assert metrics["service"] == "csv-importer"


def test_a_header_alone_is_an_import_of_nothing(cloud: Cloud, invoke: Invoke) -> None:
    (report,) = invoke(cloud.put("header.csv", HEADER.encode()))["imports"]
    assert (report["result"], report["rows_read"]) == ("succeeded", 0)
