"""The images of a local cloud, their sources, and the digests that decide what is built and started again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

IMAGE: dict[str, Any] = {
    "name": "database",
    "registry": f"docker.io/library/mysql@sha256:{'0' * 64}",
    "suite": "sid",
    "variant": "extract",
    "packages": ["coreutils", "mysql-server-core"],
    "remove": "usr/share/doc",
    "inputs": ["tls/ca.pem"],
}
PACKAGED = {"database": "localhost/local-cloud-base/database:0123456789ab"}


@pytest.fixture(scope="module")
def filters(load_filters: Callable[[str], ModuleType]) -> ModuleType:
    return load_filters("local_cloud")


LOGIN = "someone:p%40ss@word"
APT = [
    'Acquire::http::Proxy "http://cache.example:8080";',
    f'Acquire::https::Proxy::deb.example "http://{LOGIN}@cache.example:8080/";',
    'Acquire::Check-Valid-Until "false";',
    'Acquire::Languages "none";',
    'DPkg::Options:: "--force-unsafe-io";',
]


def test_images_get_the_proxies_of_apt_without_their_passwords(filters: ModuleType) -> None:
    assert filters.apt_configuration(APT).splitlines() == [
        APT[0],
        'Acquire::https::Proxy::deb.example "http://cache.example:8080/";',
        APT[2],
    ]
    assert filters.apt_configuration(APT, passwords=True).splitlines() == APT[:3]
    assert filters.apt_configuration([]) == ""


def test_images_verify_signatures_and_certificates_where_this_machine_does_not(filters: ModuleType) -> None:
    unsafe = [
        'Acquire::AllowInsecureRepositories "1";',
        'Acquire::AllowWeakRepositories "1";',
        'Acquire::https::Verify-Peer "false";',
        'APT::Get::AllowUnauthenticated "true";',
    ]
    assert filters.apt_configuration(unsafe, passwords=True) == ""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The build context of an image, and the folder of a local cloud."""
    for name, content in (
        ("files/database/my.cnf", "[mysqld]\n"),
        ("files/database/.hidden", "none"),
        ("files/database/folder/inner", "none"),
        ("cloud/tls/ca.pem", "certificate\n"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


def test_a_base_image_has_a_name_of_its_packages_and_how_it_is_built(filters: ModuleType) -> None:
    def name(mirror: str = "", script: str = "mmdebstrap", **changes: Any) -> str:
        return str(filters.package_bases([IMAGE | changes], mirror, script)["database"])

    assert name().startswith("localhost/local-cloud-base/database:")
    assert len(name().rpartition(":")[2]) == 12
    assert name() == name(tag="mysql:8.4", inputs=[])
    others = [
        name(mirror="http://deb.example.com/debian"),
        name(script="debootstrap"),
        name(suite="trixie"),
        name(variant="minbase"),
        name(packages=["coreutils"]),
        name(remove=""),
    ]
    assert len({name(), *others}) == 7


def test_an_image_that_was_pulled_by_digest_is_found_again(filters: ModuleType) -> None:
    pulled = {"RepoTags": [], "RepoDigests": [IMAGE["registry"]]}
    built = {"RepoTags": [PACKAGED["database"]], "RepoDigests": None}
    assert filters.image_names([pulled, built, {}]) == [IMAGE["registry"], PACKAGED["database"]]


@pytest.mark.parametrize(
    ("source", "existing", "pulls", "from_registry"),
    [
        ("auto", [], [{"item": IMAGE, "image": {"Id": "1"}}], True),
        ("auto", [IMAGE["registry"]], [{"item": IMAGE, "skipped": True}], True),
        ("registry", [IMAGE["registry"], *PACKAGED.values()], [{"item": IMAGE, "skipped": True}], True),
        ("packages", [IMAGE["registry"]], [{"item": IMAGE, "skipped": True}], False),
        ("auto", [], [{"item": IMAGE, "failed": True}], False),
        ("auto", [*PACKAGED.values(), None], [{"item": IMAGE, "image": {}}], False),
    ],
)
def test_a_base_image_is_from_the_registry_where_it_can_be(
    filters: ModuleType, source: str, existing: list[str], pulls: list[dict[str, Any]], from_registry: bool
) -> None:
    expected = IMAGE["registry"] if from_registry else PACKAGED["database"]
    assert filters.bases([IMAGE], PACKAGED, source, existing, pulls) == {"database": expected}


def test_an_image_is_built_again_when_one_of_its_inputs_changes(filters: ModuleType, folder: Path) -> None:
    def hashes(base: str = "base") -> str:
        contexts, cloud = str(folder / "files"), str(folder / "cloud")
        return str(filters.image_hashes([IMAGE], {"database": base}, contexts, cloud)["database"])

    found = [hashes(), hashes("another base")]
    for name in ("files/database/my.cnf", "files/database/new.cnf", "cloud/tls/ca.pem"):
        (folder / name).write_text("changed")
        found.append(hashes())
    assert len(set(found)) == 5
    (folder / "cloud" / "unrelated").write_text("changed")
    assert hashes() == found[-1]


def test_an_image_with_a_missing_input_is_an_error(filters: ModuleType, folder: Path) -> None:
    (folder / "cloud/tls/ca.pem").unlink()
    with pytest.raises(FileNotFoundError, match=r"ca\.pem"):
        filters.image_hashes([IMAGE], {"database": "base"}, str(folder / "files"), str(folder / "cloud"))


def test_a_cloud_is_up_to_date_while_its_settings_and_files_are_the_same(filters: ModuleType, folder: Path) -> None:
    patterns = [f"{folder}/files/database/*", f"{folder}/cloud/tls/*.pem", f"{folder}/cloud/ssh/*.pub"]
    first = filters.digest(["name", 4566], patterns)
    assert filters.digest(["name", "4566"], [*reversed(patterns)]) == first
    assert filters.digest(["name", 4567], patterns) != first
    (folder / "cloud/ssh").mkdir()
    (folder / "cloud/ssh/id_ed25519.pub").write_text("key")
    assert filters.digest(["name", 4566], patterns) != first


def test_files_for_clients_are_null_until_they_exist(filters: ModuleType, folder: Path) -> None:
    assert set(filters.client_files(str(folder)).values()) == {None}
    (folder / "aws").mkdir()
    (folder / "aws/config").write_text("[local]")
    assert filters.client_files(str(folder))["aws/config"] == f"{folder}/aws/config"
    assert filters.client_files(str(folder))["aws/credentials"] is None
