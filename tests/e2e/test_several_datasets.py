"""Three datasets at once on a complete stack, beside the table that is there; then the environment is as before."""

from __future__ import annotations

import gzip
import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.e2e.conftest import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import Run, Stack

pytestmark = pytest.mark.e2e

KEY = {"name": "k", "type": "integer"}
TEXT = {"name": "v", "type": "string", "constraints": {"maxLength": 20}}
DATASETS: dict[str, dict[str, Any]] = {
    "sales": {"csvToAurora:keyPrefix": "in/", "dialect": {"delimiter": ";"}, "encoding": "windows-1252"},
    "returns": {"csvToAurora:keyPrefix": "in/returns/", "csvToAurora:mode": "replace"},
    "prices": {"csvToAurora:mode": "upsert"},
}
FILES = {
    "in/1.csv": "k;v\n1;Käse\nx;y\n".encode("cp1252"),
    "in/returns/1.csv": b"k,v\n1,first\n2,second\n",
    "in/returned.csv.gz": gzip.compress("k;v\n2;größer\n".encode("cp1252")),
    "prices/1.csv": b"k,v\n1,one\n2,two\n",
    "elsewhere/1.csv": b"k,v\n1,nobody\n",
}


class Environment:
    """The stack with other datasets."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        """Write the descriptors; ``folder`` is theirs."""
        self.stack = stack
        self.folder = folder
        for name, custom in DATASETS.items():
            schema = {"fields": [KEY, TEXT], **({"primaryKey": ["k"]} if name == "prices" else {})}
            descriptor = {"name": name, "path": f"{name}.csv", "schema": schema, **custom}
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(descriptor, allow_unicode=True), encoding="utf-8")
        chosen = {"stack_datasets": list(DATASETS), "stack_datasets_directory": str(folder)}
        self.variables = ("-e", json.dumps(chosen))

    def playbook(self, name: str, *arguments: str, check: bool = True) -> Run:
        """Run a playbook with these datasets."""
        return self.stack.playbook(name, *self.variables, *arguments, check=check)

    @contextmanager
    def changed(self, name: str, *fields: dict[str, Any]) -> Iterator[None]:
        """Replace fields of a descriptor, or add them, for a while."""
        file = self.folder / f"{name}.yaml"
        before = file.read_text(encoding="utf-8")
        descriptor = yaml.safe_load(before)
        known = {field["name"]: field for field in descriptor["schema"]["fields"]}
        descriptor["schema"]["fields"] = list((known | {field["name"]: field for field in fields}).values())
        file.write_text(yaml.safe_dump(descriptor, allow_unicode=True), encoding="utf-8")
        yield
        file.write_text(before, encoding="utf-8")

    def upload(self, key: str, content: bytes) -> str:
        """Put an object; return its version."""
        answer = self.stack.client("s3").put_object(Bucket=self.stack.bucket, Key=key, Body=content)
        return str(answer["VersionId"])

    def ended(self, versions: dict[str, str]) -> dict[str, dict[str, Any]]:
        """Wait until imports have ended; return their rows in the ledger, by key."""
        until = time.monotonic() + TIMEOUT
        rows: list[dict[str, Any]] = []
        marks = ", ".join(["%s"] * len(versions))
        while time.monotonic() < until:
            rows = self.stack.query(
                f"SELECT * FROM csv_import WHERE version_id IN ({marks}) AND finished_at IS NOT NULL",  # noqa: S608 - placeholders
                *versions.values(),
            )
            if len(rows) == len(versions):
                return {row["object_key"]: row for row in rows}
            time.sleep(1)
        pytest.fail(f"{len(versions) - len(rows)} imports have not ended")

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """The rows of a table."""
        return [(row["k"], row["v"]) for row in self.stack.query(f"SELECT k, v FROM {table} ORDER BY k")]  # noqa: S608 - names above


@pytest.fixture(scope="module")
def environment(complete: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """The stack with three datasets; afterwards with those that it had."""
    made = Environment(complete, tmp_path_factory.mktemp("datasets"))
    planned = made.playbook("site.yml", "--check")
    for table in DATASETS:
        assert f"would create  table challenge.{table}" in planned.output
    made.playbook("site.yml")
    assert made.playbook("site.yml", "--check").changed == 0
    yield made
    for table in DATASETS:
        complete.query(f"DROP TABLE {table}")
    complete.playbook("site.yml")


def test_each_file_is_imported_into_the_table_of_its_dataset(environment: Environment) -> None:
    """All at once: the longest prefix decides, and a key that no dataset takes is a failed import."""
    found = environment.ended({key: environment.upload(key, content) for key, content in FILES.items()})
    assert {key: (row["dataset"], row["status"]) for key, row in found.items()} == {
        "in/1.csv": ("sales", "succeeded"),
        "in/returns/1.csv": ("returns", "succeeded"),
        "in/returned.csv.gz": ("sales", "succeeded"),
        "prices/1.csv": ("prices", "succeeded"),
        "elsewhere/1.csv": ("", "failed"),
    }
    assert found["elsewhere/1.csv"]["reason"] == "no dataset takes this key: it begins with none of their key prefixes"
    assert found["in/1.csv"]["rows_rejected"] == 1
    assert environment.rows("sales") == [(1, "Käse"), (2, "größer")]
    assert environment.rows("returns") == [(1, "first"), (2, "second")]
    assert environment.rows("prices") == [(1, "one"), (2, "two")]


def test_a_corrected_file_takes_the_place_of_rows_as_its_mode_has_it(environment: Environment) -> None:
    corrected = {"in/returns/1.csv": b"k,v\n2,corrected\n", "prices/1.csv": b"k,v\n2,corrected\n3,three\n"}
    found = environment.ended({key: environment.upload(key, content) for key, content in corrected.items()})
    assert {row["status"] for row in found.values()} == {"succeeded"}
    assert environment.rows("returns") == [(2, "corrected")]
    assert environment.rows("prices") == [(1, "one"), (2, "corrected"), (3, "three")]


def test_load_verify_and_undo_know_the_datasets(environment: Environment, tmp_path: Path) -> None:
    file = tmp_path / "day.csv"
    file.write_text("k,v\n7,seven\n8,eight\n")
    refused = environment.playbook("load.yml", "-e", f"csv={file}", check=False)
    assert "No dataset takes the key 'day.csv'. Choose one with -e dataset=NAME" in refused.words
    loaded = environment.playbook("load.yml", "-e", f"csv={file}", "-e", "dataset=prices", "-e", "load_show=9")
    assert "prices/day.csv: succeeded" in loaded.output
    assert "2 rows read, 2 loaded into prices" in loaded.output
    generated = environment.playbook("load.yml", "-e", "rows=50", "-e", "dataset=sales")
    assert "50 rows read, 50 loaded into sales" in generated.output
    assert "works: bucket, function, database and host" in environment.playbook("verify.yml").output
    assert len(environment.rows("sales")) == 52

    (entry,) = environment.stack.query("SELECT id FROM csv_import WHERE object_key = 'prices/day.csv'")
    undo = ("undo.yml", "-e", f"import={entry['id']}")
    assert "Would remove 2 rows" in environment.playbook(*undo, "--check").output
    assert len(environment.rows("prices")) == 5
    environment.playbook(*undo, "-e", f"undo_confirm={entry['id']}")
    assert environment.rows("prices") == [(1, "one"), (2, "corrected"), (3, "three")]
    assert "has been undone already" in environment.playbook(*undo, "-e", f"undo_confirm={entry['id']}").words


def test_a_change_that_would_lose_data_stops_a_run_before_its_first_write(environment: Environment) -> None:
    """The function, too, still has the descriptor that the table is made for."""
    (before,) = [row["Type"] for row in environment.stack.query("SHOW COLUMNS FROM sales") if row["Field"] == "v"]
    with environment.changed("sales", {**TEXT, "constraints": {"maxLength": 10}}):
        began = time.time()
        run = environment.playbook("site.yml", check=False)
        assert run.returncode == 2, run.output[-3000:]
        assert set(environment.stack.writes(began)) <= {"PutParameter", "DeleteParameter"}
        assert "narrow:v" in run.words
        planned = environment.playbook("site.yml", "--check")
        assert "narrow:v" in planned.words
    (after,) = [row["Type"] for row in environment.stack.query("SHOW COLUMNS FROM sales") if row["Field"] == "v"]
    assert (before, after) == ("varchar(20)", "varchar(20)")
    assert environment.playbook("site.yml", "--check").changed == 0


def test_columns_that_a_descriptor_gets_are_planned_and_added(environment: Environment) -> None:
    """The statement that the plan shows is the one that runs."""
    names = ["note", *(f"note{number}" for number in range(5))]
    with environment.changed("prices", *({**TEXT, "name": name} for name in names)):
        planned = environment.playbook("site.yml", "--check")
        (statement,) = [line for line in planned.output.splitlines() if "ALTER TABLE `challenge`.`prices`" in line]
        assert statement.count(" ADD COLUMN `note") == len(names)
        assert statement.endswith("ALGORITHM=INSTANT")
        environment.playbook("site.yml")
        header = f"k,v,{','.join(names)}"
        found = environment.ended({"k": environment.upload("prices/2.csv", f"{header}\n9,nine,new,,,,,\n".encode())})
    assert found["prices/2.csv"]["status"] == "succeeded"
    (row,) = environment.stack.query("SELECT note FROM prices WHERE k = 9")
    assert row == {"note": "new"}
