"""Two emulated clouds and a way to run the collection's modules against them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from emulated_cloud import Cloud

from tests import servers


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The emulator of the local cloud, on a port of its own and without containers."""
    with servers.ministack(tmp_path_factory.mktemp("ministack")) as url:
        yield Cloud("ministack", url)


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The second emulator, so that what converges does not depend on the peculiarities of one."""
    with servers.moto(tmp_path_factory.mktemp("moto")) as url:
        yield Cloud("moto", url)


@pytest.fixture(params=["ministack", "moto"])
def cloud(request: pytest.FixtureRequest) -> Cloud:
    """Each emulator in turn."""
    found: Cloud = request.getfixturevalue(request.param)
    return found
