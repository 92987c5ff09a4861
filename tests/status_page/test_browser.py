"""The pages in a real browser: drawn, in light and dark, on narrow screens, with the keyboard, judged by axe-core."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_selenium_python import Axe  # type: ignore[import-untyped] # it has no stubs
from browser import NoBrowserError, browser, prefer, resize
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.wait import WebDriverWait

from tests.importer.mysql_server import MySqlServer
from tests.servers import free_port
from tests.status_page.page_ledger import Ledger, make_ledger
from tests.status_page.served import served

KEY = "orders/<script>document.title = 'run'</script>\U0001f600.csv"
LONG = "x" * 1024
PAGES = (
    "public /",
    "private /",
    "private /imports",
    "private /imports/REJECTS",
    "private /imports/LONG",
    "private /none",
)


@pytest.fixture(scope="module")
def driver() -> Iterator[Chrome]:
    try:
        with browser() as driver:
            yield driver
    except NoBrowserError as error:
        pytest.fail(str(error), pytrace=False)


class Site:
    """Both applications, over a ledger with something of everything."""

    def __init__(self, ledger: Ledger, urls: dict[str, str]) -> None:
        self.ledger = ledger
        self._urls = urls
        self.rejects = ledger.add(dataset="orders", object_key="orders/b.csv", rows_loaded=900, rows_rejected=120)
        for line in range(120):
            ledger.reject(self.rejects, line + 2, "email" if line % 3 else None, "not an address")
        names: dict[str, Any] = {"object_key": LONG, "import_file": LONG[:83] + "~0123456789abcdef"}
        self.long = ledger.add(**names, status="interrupted", reason="a lock wait timeout. " * 20)
        ledger.add(object_key=KEY, dataset="orders", status="failed", reason="no <b>header</b>")
        ledger.add(status="running", byte_offset=400, rows_loaded=40)

    def url(self, page: str) -> str:
        """Return the URL of an application's path."""
        application, _, path = page.partition(" ")
        return self._urls[application] + path.replace("REJECTS", str(self.rejects)).replace("LONG", str(self.long))


@pytest.fixture(scope="module")
def site(mysql: MySqlServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with make_ledger(mysql, tmp_path_factory.mktemp("site")) as ledger:
        ledger.fill(400)
        with served(ledger, "public") as public, served(ledger, "private") as private:
            yield Site(ledger, {"public": public, "private": private})


@pytest.fixture(autouse=True)
def as_usual(driver: Chrome) -> None:
    resize(driver, 1280, 900)
    prefer(driver, "light")
    # Until then, what was logged is of another test.
    complaints(driver)


def complaints(driver: Chrome) -> list[str]:
    """Return what the browser has logged since the last time."""
    logged: list[dict[str, Any]] = driver.get_log("browser")  # type: ignore[no-untyped-call] # of selenium
    return [each["message"] for each in logged]


def problems(driver: Chrome) -> list[str]:
    """Return what axe finds, each with the elements."""
    axe = Axe(driver)
    axe.inject()
    found = axe.run()
    assert found["passes"]
    return [f"{each['id']}: {[node['html'] for node in each['nodes']]}" for each in found["violations"]]


def test_the_judge_finds_what_is_wrong(driver: Chrome) -> None:
    driver.get("data:text/html,<html lang=en><title>a</title><main><h1>a</h1><p style='color:%23ccc'>pale<img src=x>")
    found = " ".join(problems(driver))
    assert "color-contrast" in found
    assert "image-alt" in found


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_everybody_can_read_the_page(driver: Chrome, site: Site, page: str, scheme: str, width: int) -> None:
    prefer(driver, scheme)
    resize(driver, width, 800)
    driver.get(site.url(page))
    for details in driver.find_elements(By.TAG_NAME, "summary"):
        details.click()
    assert problems(driver) == []


@pytest.mark.parametrize("width", [360, 500, 820, 1000])
@pytest.mark.parametrize("page", PAGES)
def test_no_page_is_wider_than_the_screen(driver: Chrome, site: Site, page: str, width: int) -> None:
    resize(driver, width, 800)
    driver.get(site.url(page))
    for details in driver.find_elements(By.TAG_NAME, "summary"):
        details.click()
    wide = driver.execute_script(
        "const width = document.documentElement.clientWidth;"
        "return [document.documentElement.scrollWidth > width && document.documentElement.scrollWidth, ..."
        "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > width + 1)"
        ".map(e => e.outerHTML.slice(0, 80))]"
    )
    assert wide == [False]


def lightness(driver: Chrome, selector: str, property_name: str) -> float:
    """Return how light a colour is, 0 to 1."""
    value = driver.find_element(By.CSS_SELECTOR, selector).value_of_css_property(property_name)
    parts = [float(part) for part in value[value.index("(") + 1 : -1].split(",")[:3]]
    return sum(parts) / 3 / 255


def test_a_dark_page_for_those_who_prefer_it(driver: Chrome, site: Site) -> None:
    driver.get(site.url("private /"))
    assert lightness(driver, "body", "background-color") > 0.9
    assert lightness(driver, "body", "color") < 0.3
    bars = [driver.find_element(By.CSS_SELECTOR, "rect.loaded").value_of_css_property("fill")]
    prefer(driver, "dark")
    assert lightness(driver, "body", "background-color") < 0.2
    assert lightness(driver, "body", "color") > 0.8
    bars.append(driver.find_element(By.CSS_SELECTOR, "rect.loaded").value_of_css_property("fill"))
    assert len(set(bars)) == 2


def test_the_browser_finds_nothing_to_block_and_nothing_to_run(driver: Chrome, site: Site) -> None:
    for page in PAGES:
        driver.get(site.url(page))
        assert "run" not in driver.title
        assert driver.execute_script("return document.scripts.length") == 0
        asked = driver.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
        assert asked
        assert all(each.startswith("http://127.0.0.1:") for each in asked)
        assert [each for each in complaints(driver) if "404" not in each or page != "private /none"] == []


def test_bars_are_as_high_as_their_numbers(driver: Chrome, site: Site) -> None:
    driver.get(site.url("public /"))
    shown = driver.find_elements(By.CSS_SELECTOR, "figure.chart")
    assert [chart.find_element(By.TAG_NAME, "figcaption").text.split(":")[0] for chart in shown] == [
        "Rows loaded",
        "Rows rejected",
    ]
    driver.find_element(By.TAG_NAME, "summary").click()
    rows = [
        [cell.text for cell in row.find_elements(By.TAG_NAME, "td")]
        for row in driver.find_elements(By.CSS_SELECTOR, "details tbody tr")
    ]
    assert len(rows) == 30
    assert rows[0][0] == dt.datetime.now(dt.UTC).date().isoformat()
    by_day = {row[0]: int(row[2].replace(",", "")) for row in rows}
    bars = driver.execute_script(
        "return [...document.querySelectorAll('rect.loaded')].map(e => [e.querySelector('title').textContent,"
        " e.getBoundingClientRect().height, e.getBoundingClientRect().width])"
    )
    assert len(bars) == sum(count > 0 for count in by_day.values())
    highest = max(by_day.values())
    tallest = max(height for _, height, _ in bars)
    for text, height, width in bars:
        day, _, count = text.partition(": ")
        assert int(count.replace(",", "")) == by_day[day]
        assert abs(height / tallest - by_day[day] / highest) < 0.02
        assert width > 3


@contextmanager
def leaving(driver: Chrome) -> Iterator[None]:
    """Wait until what is done here has led to another page."""
    left = driver.find_element(By.TAG_NAME, "html")
    yield
    WebDriverWait(driver, 30).until(staleness_of(left))


def test_with_the_keyboard_alone(driver: Chrome, site: Site) -> None:
    driver.get(site.url("private /imports"))
    driver.switch_to.active_element.send_keys(Keys.TAB)
    skip = driver.switch_to.active_element
    assert skip.text == "Skip to the content"
    assert skip.is_displayed()
    assert skip.rect["x"] >= 0
    assert skip.value_of_css_property("outline-style") == "solid"
    skip.send_keys(Keys.ENTER)
    assert driver.switch_to.active_element.tag_name == "main"
    # The first field of the form, the second one, the third one.
    for _ in range(3):
        driver.switch_to.active_element.send_keys(Keys.TAB)
    field = driver.switch_to.active_element
    assert field.get_attribute("name") == "prefix"
    with leaving(driver):
        field.send_keys("orders/<script>", Keys.ENTER)
    cells = driver.find_elements(By.CSS_SELECTOR, "td.key")
    assert [cell.text for cell in cells] == [KEY]
    assert driver.find_element(By.NAME, "prefix").get_attribute("value") == "orders/<script>"


def test_older_imports_are_a_link_away_and_the_choice_stays(driver: Chrome, site: Site) -> None:
    driver.get(site.url("private /imports"))
    driver.find_element(By.CSS_SELECTOR, "select[name=dataset] option[value=orders]").click()
    with leaving(driver):
        driver.find_element(By.TAG_NAME, "button").click()
    first = [link.text for link in driver.find_elements(By.CSS_SELECTOR, "tbody a")]
    with leaving(driver):
        driver.find_element(By.LINK_TEXT, "Older").click()
    second = [link.text for link in driver.find_elements(By.CSS_SELECTOR, "tbody a")]
    assert len(first) == 50
    assert len(second) == 32
    assert not set(first) & set(second)
    assert {cell.text for cell in driver.find_elements(By.CSS_SELECTOR, "td[data-label=Dataset]")} == {"orders"}
    with leaving(driver):
        driver.find_element(By.LINK_TEXT, "Newest").click()
    assert [link.text for link in driver.find_elements(By.CSS_SELECTOR, "tbody a")] == first


def test_a_database_that_is_away_is_said_on_a_page(driver: Chrome, site: Site) -> None:
    site.ledger.write_option_file(port=free_port())
    try:
        with served(site.ledger, "private") as url:
            driver.get(url)
            text = driver.find_element(By.TAG_NAME, "main").text
            assert "The database cannot be reached." in text
            assert problems(driver) == []
    finally:
        site.ledger.write_option_file()
