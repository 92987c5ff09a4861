"""The time from the arrival of a small file to its rows, cold and warm, and what it consists of.

The handler itself runs, from the function's zip, with a real MySQL server, and S3 and Secrets Manager of the second
emulator over HTTP: how long those take to answer is the emulator's matter, and in the result by itself.
"""

import json
import os
import statistics
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import boto3

from bench.loading import DATABASE, ROOT, Bench, Numbers, Options
from tests.servers import SECRET, moto

ROWS = 100
STARTS = 5
"""How many processes are started: as many cold invocations."""

WARM = 5
"""Invocations of each process after the first one."""

BUCKET = "bench"
EMULATED = ("S3: ", "Secrets Manager: ")
"""How parts begin that are as long as the emulator takes."""


def measure_latency(bench: Bench, options: Options) -> dict[str, Any]:
    """Build the function's zip, and have it import small files, each time in a new process first.

    Returns:
        Medians in seconds: the parts, and the whole, of cold and of warm invocations; statements; the size of the zip.
    """
    del options
    folder = bench.folder / "latency"
    folder.mkdir()
    archive = folder / "function.zip"
    _build(archive)
    function = folder / "function"
    with zipfile.ZipFile(archive) as content:
        content.extractall(function)
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "eu-west-1"}
    traces = folder / "traces.json"
    colds, warms = [], []
    with moto(folder, **keys) as url:
        cloud = _Cloud(url, keys, bench)
        body = bench.write("small.csv", ROWS, 0).read_bytes()
        environment = cloud.environment | {"PYTHONPATH": str(function)}
        for start in range(STARTS):
            events = [cloud.upload(f"{start}-{number}.csv", body) for number in range(1 + WARM)]
            started = time.monotonic()
            done = subprocess.run(
                # Without the folder of the program, which is none of the function's.
                [sys.executable, "-P", str(ROOT / "bench" / "invocation.py"), str(traces)],
                input=json.dumps(events),
                capture_output=True,
                text=True,
                check=False,
                env=environment,
                cwd=folder,
            )
            if done.returncode:
                raise SystemExit(f"bench: an invocation failed:\n{done.stdout}{done.stderr}")
            cold, *warm = json.loads(traces.read_text(encoding="utf-8"))
            colds.append(_cold(cold, started))
            warms += [_parts(trace, trace["began"]) for trace in warm]
    return {
        "rows": ROWS,
        "cold": _medians(colds),
        "warm": _medians(warms),
        "zip_bytes": archive.stat().st_size,
    }


def _build(output: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    build = [sys.executable, str(ROOT / "files" / "lambda" / "build.py"), "--output", str(output)]
    build += ["--python-version", version, "--architecture", "x86_64"]
    build += ["--ca-file", str(ROOT / "files" / "certs" / "rds-ca.pem")]
    build += ["--dataset", str(ROOT / "datasets" / "customer.yaml")]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)


class _Cloud:
    """The bucket and the secret."""

    def __init__(self, url: str, keys: dict[str, str], bench: Bench) -> None:
        session = boto3.Session(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], region_name="eu-west-1")
        self._s3 = session.client("s3", endpoint_url=url)
        self._s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        self._s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        server = bench.server
        secret = session.client("secretsmanager", endpoint_url=url).create_secret(
            Name="importer",
            SecretString=json.dumps(
                {
                    "rds_writer_endpoint": server.host,
                    "rds_port": server.port,
                    "rds_username": server.user,
                    "rds_password": server.password,
                    "rds_db": DATABASE,
                }
            ),
        )
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
        self.environment = {
            **kept,
            **keys,
            "AWS_ENDPOINT_URL": url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "BUCKET_NAME": BUCKET,
            "SECRET_ID": secret["ARN"],
            "DATABASE_CA_FILE": str(server.ca_file),
            # As the role sets it.
            "MAX_REJECT_RATIO": "0.5",
            "LOG_LEVEL": "INFO",
        }

    def upload(self, key: str, body: bytes) -> dict[str, Any]:
        """Upload an object; return the event of S3."""
        answer = self._s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        record = {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": {
                "bucket": {"name": BUCKET},
                "object": {
                    "key": quote_plus(key, safe="/"),
                    "versionId": answer["VersionId"],
                    "eTag": answer["ETag"].strip('"'),
                },
            },
        }
        return {"Records": [record]}


def _cold(trace: dict[str, Any], started: float) -> Numbers:
    process = trace["process"]
    imports = process["imported"] - process["importing"]
    # What this file itself imports is part of the interpreter's start: Lambda's own program does the same.
    start = process["importing"] - started
    return {"start of the interpreter": start, "imports": imports} | _parts(trace, trace["began"], start + imports)


def _parts(trace: dict[str, Any], began: float, before: float = 0.0) -> Numbers:
    """Return the parts of an invocation, and what is left of it.

    Args:
        trace: What the invocation has measured.
        began: When it began.
        before: Seconds that came before, as parts of their own.
    """
    parts: Numbers = dict(trace["parts"])
    whole = trace["ended"] - began
    return {
        **parts,
        "everything else: parsing, log": whole - sum(parts.values()),
        "until the rows are committed": before + trace["rows_committed"] - began,
        "until the invocation has ended": before + whole,
        "number of statements": sum(trace["calls"].get(part, 0) for part in ("statements", "load", "commit")),
        "peak_memory_mib": trace["peak_memory_mib"],
    }


def _medians(invocations: list[Numbers]) -> Numbers:
    names = dict.fromkeys(name for each in invocations for name in each)
    return {name: statistics.median(each.get(name, 0.0) for each in invocations) for name in names}
