"""Each promise of the documentation has a test, and its columns are those of the code."""

import re
from pathlib import Path

from descriptors import describe

from .files import COLUMNS

HERE = Path(__file__).parent
BEHAVIOUR = (HERE.parents[1] / "docs" / "behaviour.md").read_text(encoding="utf-8")


def test_every_row_names_tests_that_exist() -> None:
    tests = {
        name
        for path in HERE.parent.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    rows = [line for line in BEHAVIOUR.splitlines() if line.startswith("| ") and line.count(" | ") == 2]
    promises = [line for line in rows if not line.endswith("proven by |")]
    assert len(promises) > 55
    for line in promises:
        named = set(re.findall(r"`(test_\w+)`", line.rsplit(" | ", 1)[1]))
        assert named, f"no test: {line}"
        assert named <= tests, f"no such test: {sorted(named - tests)}"


def test_the_columns_are_those_of_the_code() -> None:
    table = BEHAVIOUR.split("<!-- columns -->")[1].split("<!-- /columns -->")[0]
    assert re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE) == [
        (column.name, column.rule) for column in COLUMNS
    ]


def test_the_readme_s_descriptor_can_be_used(tmp_path: Path) -> None:
    readme = (HERE.parents[1] / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n(# datasets/orders\.yaml.*?)^```", readme, re.MULTILINE | re.DOTALL)
    file = tmp_path / "orders.yaml"
    file.write_text(block, encoding="utf-8")
    (described,) = describe([file])
    assert (described["table"], described["key_prefix"], described["mode"]) == ("orders", "orders/", "upsert")
