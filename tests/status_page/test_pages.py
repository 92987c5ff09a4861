"""What the pages show, and to whom."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest

from status_page.ledger import AT_WORK_SHOWN
from tests.status_page.page_ledger import Ledger, Pages

KEY = "orders/<script>alert('x')</script>&amp;\u202e\U0001f600\n.csv"
LONG = "long/" + "é" * 509 + ".csv"
REASON = "no header: <b>what</b> is there"
HOUR = dt.timedelta(hours=1)


def ago(time: dt.timedelta) -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(tzinfo=None) - time


@pytest.fixture
def some(ledger: Ledger) -> dict[str, int]:
    """A ledger with one import of each kind, by name."""
    ids = {
        "old": ledger.add(rows_loaded=100, started_at=ago(40 * 24 * HOUR)),
        "good": ledger.add(rows_loaded=1000, rows_rejected=3, started_at=ago(25 * HOUR), finished_at=ago(24 * HOUR)),
        "failed": ledger.add(
            object_key=KEY, import_file=KEY, dataset="orders", status="failed", reason=REASON, rows_loaded=0
        ),
        "nothing": ledger.add(dataset="orders", rows_loaded=0, rows_rejected=7, started_at=ago(2 * HOUR)),
        "interrupted": ledger.add(
            object_key=LONG,
            import_file=LONG[:83] + "~0123456789abcdef",
            dataset="",
            status="interrupted",
            reason="lost",
        ),
        "running": ledger.add(status="running", byte_offset=200, rows_loaded=20, started_at=ago(HOUR / 60)),
        "stuck": ledger.add(status="checking", started_at=ago(HOUR), updated_at=ago(HOUR)),
    }
    for line in range(3):
        ledger.reject(ids["good"], 10 + line, "email" if line else None, "not an address" if line else "too short")
    return ids


def everything(pages: Pages, ids: dict[str, int]) -> str:
    paths = ["/", "/imports", "/metrics", "/api/overview", "/api/imports"]
    paths += [f"{path}/{each}" for path in ("/imports", "/api/imports") for each in ids.values()]
    return "\n".join(pages.private.get(path).text for path in paths)


def test_everybody_sees_health_and_totals_and_nothing_else(pages: Pages, some: dict[str, int]) -> None:
    answers = [pages.public.get(path) for path in ("/", "/api/overview")]
    assert [answer.status_code for answer in answers] == [200, 200]
    shown = answers[1].get_json()
    assert shown["imports"] == {"succeeded": 3, "failed": 1, "interrupted": 1, "running": 1, "checking": 1}
    assert (shown["rows_loaded"], shown["rows_rejected"]) == (1122, 10)
    assert "1,122" in answers[0].text
    assert "1 hour ago" in answers[0].text
    for text in (answer.text for answer in answers):
        for name in ("orders", "customer", ".csv", "no header", "lost", "address", "email", "bucket"):
            assert name not in text, name
    assert some


@pytest.mark.parametrize("path", ["/imports", "/imports/1", "/api/imports", "/api/imports/1", "/metrics"])
def test_the_public_application_has_no_private_page(pages: Pages, some: dict[str, int], path: str) -> None:
    assert pages.private.get(path).status_code == 200
    assert pages.public.get(path).status_code == 404
    assert some


def test_the_overview_shows_what_runs_what_failed_and_what_to_do(pages: Pages, some: dict[str, int]) -> None:
    page = pages.private.get("/")
    assert page.status_code == 200
    text = page.text
    for command in (
        f"ansible-playbook playbooks/replay.yml -i inventories/stage -e replay={some['failed']}",
        f"ansible-playbook playbooks/replay.yml -i inventories/stage -e replay={some['interrupted']}",
    ):
        assert command in text
    assert "no progress for 1 h" in text
    assert re.search(r'<progress max="100" value="20"', text)
    assert "· stage</title>" in text
    json = pages.private.get("/api/overview").get_json()
    assert [each["id"] for each in json["failures"]] == [some["interrupted"], some["failed"]]
    # In the order of when they began.
    assert [each["id"] for each in json["at_work"]] == [some["running"], some["stuck"]]
    assert json["at_work"][0]["rows_per_second"] in (0, 1)
    newest = {each["dataset"]: each for each in json["newest"]}
    assert newest["customer"]["id"] == some["good"]
    assert abs(newest["customer"]["age_seconds"] - 86_400) < 60
    assert newest[""]["id"] is None


def test_an_import_that_was_undone_is_not_the_newest_data(pages: Pages, some: dict[str, int]) -> None:
    pages.ledger.query("UPDATE csv_import SET undone_at = NOW(3), undone_by = 'x' WHERE id = %s", some["good"])
    newest = {each["dataset"]: each["id"] for each in pages.private.get("/api/overview").get_json()["newest"]}
    assert newest["customer"] == some["old"]


def test_days_are_those_of_utc_and_have_no_gaps(pages: Pages, some: dict[str, int]) -> None:
    days = pages.private.get("/api/overview").get_json()["days"]["customer"]
    assert len(days) == 30
    assert days[-1]["day"] == dt.datetime.now(dt.UTC).date().isoformat()
    # The one of forty days ago is left out.
    assert sum(day["rows_loaded"] for day in days) == 1021
    assert {day["day"]: day["rows_rejected"] for day in days}[ago(25 * HOUR).date().isoformat()] == 3
    assert some


def test_an_import_shows_its_rejects_and_never_their_text(pages: Pages, some: dict[str, int]) -> None:
    page = pages.private.get(f"/imports/{some['good']}").text
    assert "not an address" in page
    assert f"rejects_of={some['good']}" in page
    json = pages.private.get(f"/api/imports/{some['good']}").get_json()
    assert json["rejects"][0] == {"line": 10, "column": None, "reason": "too short"}
    assert json["reasons"][0] == {"column": "email", "reason": "not an address", "rejects": 2}
    assert "secret value" not in everything(pages, some)


def test_the_database_does_not_let_the_page_read_their_text(ledger: Ledger, pages: Pages) -> None:
    connection = ledger.server.connect(ledger.name, user=ledger.user, password="a password, with 'quotes'")
    with connection.cursor() as cursor, pytest.raises(Exception, match="denied"):
        cursor.execute("SELECT raw_text FROM csv_import_reject")
    connection.close()
    assert pages.private.get("/").status_code == 200


def test_what_is_in_a_key_or_a_reason_is_text(pages: Pages, some: dict[str, int]) -> None:
    text = "\n".join(pages.private.get(path).text for path in ("/", "/imports", f"/imports/{some['failed']}"))
    assert "&lt;script&gt;alert(" in text
    assert "<script" not in text
    assert "<b>what" not in text
    assert LONG in text
    json = pages.private.get(f"/api/imports/{some['failed']}").get_json()["import"]
    assert (json["key"], json["reason"]) == (KEY, REASON)


def listed(pages: Pages, **query: Any) -> list[int]:
    answer = pages.private.get("/api/imports", query_string=query)
    assert answer.status_code == 200
    ids = [each["id"] for each in answer.get_json()["imports"]]
    page = pages.private.get("/imports", query_string=query).text
    assert [int(each) for each in re.findall(r'<a href="/imports/([0-9]+)"', page)] == ids
    return ids


def test_imports_are_chosen_by_dataset_status_and_beginning_of_the_key(pages: Pages, some: dict[str, int]) -> None:
    assert listed(pages) == sorted(some.values(), reverse=True)
    # By when they began.
    assert listed(pages, dataset="orders") == [some["failed"], some["nothing"]]
    assert listed(pages, dataset="orders", status="succeeded") == [some["nothing"]]
    assert listed(pages, dataset="-") == [some["interrupted"]]
    assert listed(pages, status="failed") == [some["failed"]]
    assert listed(pages, prefix="orders/<script>") == [some["failed"]]
    assert listed(pages, prefix=LONG[:100]) == [some["interrupted"]]
    assert listed(pages, prefix=LONG[:100] + "x") == []
    assert listed(pages, prefix="%") == []
    assert listed(pages, prefix="_") == []
    assert listed(pages, prefix="' OR 1 = 1 -- ") == []
    assert listed(pages, dataset="orders", prefix=KEY) == [some["failed"]]


@pytest.mark.parametrize("query", [{}, {"dataset": "customer"}, {"status": "succeeded"}, {"prefix": "p/"}])
def test_pages_have_each_import_once_also_where_many_began_at_once(pages: Pages, query: dict[str, str]) -> None:
    moment = ago(HOUR)
    added = [
        # In the order of ids or not: two invocations may begin at the same time.
        pages.ledger.add(object_key=f"p/{n}.csv", started_at=moment + dt.timedelta(milliseconds=n % 3 - n // 40))
        for n in range(130)
    ]
    found: list[int] = []
    before = None
    while True:
        json = pages.private.get("/api/imports", query_string=query | ({"before": before} if before else {})).get_json()
        found += [each["id"] for each in json["imports"]]
        before = json["before"]
        if before is None:
            break
    assert sorted(found) == added
    assert len(found) == len(set(found))


def test_rejects_are_shown_page_by_page(pages: Pages) -> None:
    import_id = pages.ledger.add(rows_rejected=120)
    for line in range(120):
        pages.ledger.reject(import_id, line * 2 + 2, "age", "not a number")
    found: list[int] = []
    after: int | None = 0
    while after is not None:
        json = pages.private.get(f"/api/imports/{import_id}", query_string={"after": after}).get_json()
        found += [each["line"] for each in json["rejects"]]
        after = json["after"]
    assert found == [line * 2 + 2 for line in range(120)]
    assert "Further lines" in pages.private.get(f"/imports/{import_id}").text


def test_rows_of_several_sessions_count_as_progress(pages: Pages) -> None:
    import_id = pages.ledger.add(status="running", byte_offset=100, rows_loaded=10)
    pages.ledger.query("INSERT INTO csv_import_range VALUES (%s, 200, 1, 500, 2, 30, 2, 1)", import_id)
    json = pages.private.get(f"/api/imports/{import_id}").get_json()["import"]
    assert {name: json[name] for name in ("bytes_read", "rows_read", "rows_loaded", "rows_rejected", "rows_blank")} == {
        "bytes_read": 400,
        "rows_read": 43,
        "rows_loaded": 40,
        "rows_rejected": 2,
        "rows_blank": 1,
    }


def test_an_empty_ledger_says_what_to_do(pages: Pages) -> None:
    assert "no import has succeeded yet" in pages.public.get("/").text
    page = pages.private.get("/").text
    assert "playbooks/load.yml -i inventories/stage" in page
    assert "Nothing is being imported." in page
    assert pages.private.get("/imports").status_code == 200


def test_imports_without_progress_are_counted_though_newer_ones_run(ledger: Ledger, pages: Pages) -> None:
    """The overview lists the newest at work, and what is stuck is old."""
    old = ago(2 * HOUR)
    for status in ("running", "checking"):
        ledger.add(status=status, started_at=old, updated_at=old)
    for _ in range(AT_WORK_SHOWN):
        ledger.add(status="running")
    assert "\ncsv_import_without_progress 2\n" in pages.private.get("/metrics").text
    answer: Any = pages.private.get("/api/overview").json
    assert answer["without_progress"] == 2
    page = pages.private.get("/").text
    assert "Imports without progress: 2." in page
    assert f"{old:%Y-%m-%d %H:%M}" not in page


SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (-?[0-9.]+(?:e\+?[0-9]+)?)')


def test_metrics_are_in_the_format_of_prometheus(pages: Pages, some: dict[str, int]) -> None:
    answer = pages.private.get("/metrics")
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    described: set[str] = set()
    samples: dict[tuple[str, str], float] = {}
    for line in answer.text.splitlines():
        if line.startswith("#"):
            described.add(line.split()[2])
            continue
        found = SAMPLE.fullmatch(line)
        assert found, line
        assert found[1] in described
        samples[found[1], found[2] or ""] = float(found[3])
    assert samples["status_page_database_up", ""] == 1
    assert samples["csv_import_imports", 'dataset="customer",status="succeeded"'] == 2
    assert samples["csv_import_rows_rejected", 'dataset="orders",status="succeeded"'] == 7
    assert samples["csv_import_without_progress", ""] == 1
    age = (
        dt.datetime.now(dt.UTC).timestamp()
        - samples["csv_import_newest_success_timestamp_seconds", 'dataset="customer"']
    )
    assert abs(age - 86_400) < 60
    assert some
