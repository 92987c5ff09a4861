"""The script that makes base images of Debian packages."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "roles/local_cloud/files/base-image.sh"
# What mmdebstrap does with --aptopt, by its manual: the file stays in the image.
MMDEBSTRAP = """#!/bin/sh
for word in "$@"; do
    case $word in
    --aptopt=*) apt=${word#--aptopt=} ;;
    /*) root=${root:-$word} ;;
    esac
done
mkdir -p "$root/etc/apt/apt.conf.d" "$root/usr/share/doc"
cp "$apt" "$root/etc/apt/apt.conf.d/99mmdebstrap"
"""


LOGIN = "someone:word"
UNPACK = 'tar -x -C "$IMAGE" -f -'
"""A command that imports an image; the image's name, its last argument, is its $0."""


def test_the_configuration_of_apt_does_not_stay_in_the_image(tmp_path: Path) -> None:
    program = tmp_path / "bin/mmdebstrap"
    program.parent.mkdir()
    program.write_text(MMDEBSTRAP)
    program.chmod(0o755)
    apt, image = tmp_path / "apt.conf", tmp_path / "image"
    apt.write_text(f'Acquire::http::Proxy "http://{LOGIN}@cache.example:8080";\n')
    image.mkdir()
    subprocess.run(
        [str(SCRIPT), "base", "trixie", "", "minbase", "sudo", "usr/share/doc", str(apt), "sh", "-c", UNPACK],
        env=os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}", "IMAGE": str(image)},
        check=True,
    )
    found = [path for path in image.rglob("*") if path.is_file()]
    assert (image / "etc/apt/apt.conf.d").is_dir()
    assert [path for path in found if "word" in path.read_text()] == []
    assert not (image / "usr/share/doc").exists()
