"""Instances as machines: the container of one runs systemd, as PID 1 and with what that needs.

ministack starts every instance with an init of its own, which its EC2_DOCKER_FLAGS cannot leave out. They can ask for
`--privileged`, but such a container has this machine's devices and changes the settings of its kernel.
"""

from __future__ import annotations

from typing import Any

from docker.models.containers import ContainerCollection

NEEDED: dict[str, Any] = {
    "init": False,
    # systemd mounts, and gives its services namespaces of their own; nftables is in the container's own network.
    "cap_add": ["SYS_ADMIN", "NET_ADMIN"],
    # The profiles of the engines forbid every mount.
    "security_opt": ["apparmor=unconfined"],
}
"""Options of the container of an instance, by docker-py's names for them."""


def install() -> None:
    """Start the containers of instances with NEEDED, in the ministack that this process is going to run."""
    create = ContainerCollection.create

    def create_machine(self: Any, image: Any, command: Any = None, **kwargs: Any) -> Any:
        if (kwargs.get("labels") or {}).get("ministack") == "ec2":
            kwargs |= NEEDED
        return create(self, image, command, **kwargs)

    ContainerCollection.create = create_machine
