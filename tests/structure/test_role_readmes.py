"""The tables that tools/role_readmes.py writes."""

from __future__ import annotations

from pathlib import Path

import pytest
import role_readmes

SPECS = """
argument_specs:
  main:
    short_description: A store
    description:
      - Keeps things.
      - "C(store_outputs.arn): Its ARN, null where there is none."
    options:
      store_name: {description: "Its name, as in C(a|b).", type: str, required: true}
      store_size: {description: Its size., type: int, default: 3}
      store_label: {description: Its label., type: str, default: ""}
      store_parent: {description: Its parent., type: str}
      store_note: {description: A note., type: str, default: "%s"}
      store_rules:
        description: [Its rules., In order.]
        type: list
        elements: dict
        default: []
        options:
          port: {description: A port., type: int, required: true, choices: [80, 443]}
  empty:
    short_description: Empty it
    description: Removes what V(store_name) keeps.
""" % ("long " * 20)  # braces are YAML's here

TABLES = """
| Argument | Type | Default | Meaning |
|---|---|---|---|
| `store_name` | str | required | Its name, as in `a\\|b`. |
| `store_size` | int | `4` | Its size. |
| `store_label` | str | `''` | Its label. |
| `store_parent` | str | – | Its parent. |
| `store_note` | str | see [defaults](defaults/main.yml) | A note. |
| `store_rules` | list of dict | `[]` | Its rules. In order. |
| `store_rules[].port` | int | required | A port. One of `80`, `443`. |

| Output | Meaning |
|---|---|
| `store_outputs.arn` | Its ARN, null where there is none. |

### tasks_from: empty

Removes what `store_name` keeps.

No arguments.
"""
BEFORE, AFTER = "# store\n\nText.\n\n", "\n## More\n"


@pytest.fixture
def roles(tmp_path: Path) -> Path:
    for name, text in {
        "meta/argument_specs.yml": SPECS,
        "defaults/main.yml": "store_size: 4\n",
        "README.md": f"{BEFORE}<!-- arguments -->\n<!-- /arguments -->\n{AFTER}",
    }.items():
        path = tmp_path / "store" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def run(roles: Path, *arguments: str) -> int:
    return role_readmes.main(["--roles", str(roles), *arguments])


def test_tables_are_written_between_the_markers(roles: Path) -> None:
    assert run(roles, "store") == 0
    written = (roles / "store" / "README.md").read_text(encoding="utf-8")
    assert written == f"{BEFORE}<!-- arguments -->\n{TABLES}\n<!-- /arguments -->\n{AFTER}"


def test_a_second_run_writes_nothing(roles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(roles) == 0
    assert "written" in capsys.readouterr().out
    assert run(roles) == 0
    assert capsys.readouterr().out == ""


def test_check_writes_nothing_and_says_what_to_run(roles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (roles / "store" / "README.md").read_bytes()
    assert run(roles, "--check") == 1
    assert "Run: tools/role_readmes.py store" in capsys.readouterr().err
    assert (roles / "store" / "README.md").read_bytes() == before
    assert run(roles) == 0
    assert run(roles, "--check") == 0


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("README.md", None, "README.md: missing"),
        ("README.md", "# store\n<!-- arguments -->\n", "needs the line"),
        ("README.md", "<!-- /arguments -->\n<!-- arguments -->\n", "needs the line"),
        ("meta/argument_specs.yml", None, "argument_specs.yml: No such file"),
        ("meta/argument_specs.yml", "a: [", "no YAML"),
        ("meta/argument_specs.yml", "[]", "no mapping 'argument_specs'"),
        ("meta/argument_specs.yml", "- a", "has to be a mapping"),
    ],
)
def test_wrong_files_are_named(
    name: str, content: str | None, message: str, roles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = roles / "store" / name
    if content is None:
        path.unlink()
    else:
        path.write_text(content, encoding="utf-8")
    assert run(roles) == 1
    assert message in capsys.readouterr().err
