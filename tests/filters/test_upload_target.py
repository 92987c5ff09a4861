"""Where a file is uploaded to, and which dataset it is of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.csv_to_aurora.importer.plugins.filter.upload_target import upload_target
from csv_importer.datasets import Dataset, Datasets

ANY, ORDERS, NORTH = (
    {"name": "customer", "key_prefix": ""},
    {"name": "orders", "key_prefix": "orders/"},
    {"name": "north", "key_prefix": "orders/n"},
)


@pytest.mark.parametrize(
    ("datasets", "arguments", "key", "dataset"),
    [
        ([ANY], {}, "2026.csv", ANY),
        ([ANY, ORDERS], {}, "2026.csv", ANY),
        ([ANY, ORDERS], {"dataset": "orders"}, "orders/2026.csv", ORDERS),
        ([ORDERS], {}, "orders/2026.csv", ORDERS),
        ([ANY, ORDERS], {"key": "orders/old/1.csv"}, "orders/old/1.csv", ORDERS),
        ([ANY, ORDERS, NORTH], {"key": "orders/n1.csv", "dataset": "north"}, "orders/n1.csv", NORTH),
    ],
)
def test_dataset_and_key_follow_from_what_is_given(
    datasets: list[dict[str, Any]], arguments: dict[str, str], key: str, dataset: dict[str, Any]
) -> None:
    assert upload_target(datasets, "2026.csv", **arguments) == {"key": key, "dataset": dataset, "mistake": ""}


@pytest.mark.parametrize(
    ("datasets", "arguments", "part"),
    [
        ([ORDERS, NORTH], {}, "No dataset takes the key '2026.csv'. Choose one with -e dataset=NAME"),
        ([ORDERS], {"key": "2026.csv"}, "with -e key=KEY: orders: orders/."),
        ([ORDERS], {"dataset": "order"}, "There is no dataset 'order' in this environment (stack_datasets)"),
        (
            [ANY, ORDERS],
            {"dataset": "customer", "key": "orders/1.csv"},
            "belongs to the dataset orders, not to customer",
        ),
        ([ANY], {"dataset": "orders"}, "There are customer: any key."),
    ],
)
def test_what_would_go_elsewhere_is_refused(
    datasets: list[dict[str, Any]], arguments: dict[str, str], part: str
) -> None:
    assert part in upload_target(datasets, "2026.csv", **arguments)["mistake"]


def test_a_file_name_that_another_dataset_takes_is_refused() -> None:
    mistake = upload_target([ORDERS, NORTH], "n.csv", dataset="orders")["mistake"]
    assert mistake.startswith("The key 'orders/n.csv' belongs to the dataset north, not to orders")


PREFIXES = st.lists(st.text("ab/", max_size=3), min_size=1, max_size=5, unique=True)


@given(prefixes=PREFIXES, key=st.text("ab/", min_size=1, max_size=5))
def test_the_importer_takes_the_key_for_the_same_dataset(prefixes: list[str], key: str) -> None:
    described = [{"name": f"d{number}", "key_prefix": prefix} for number, prefix in enumerate(prefixes)]
    datasets = Datasets(
        tuple(Dataset(each["name"], each["name"], (), key_prefix=each["key_prefix"]) for each in described)
    )
    taking = datasets.taking(key)
    assert upload_target(described, "x.csv", key=key)["dataset"].get("name") == (taking and taking.name)
