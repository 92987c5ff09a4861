"""The console output of instances, which ministack does not have: what their containers have written."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

MOST = 64 * 1024
"""Bytes of the output that EC2 keeps: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html"""


def install() -> None:
    """Add GetConsoleOutput to the EC2 service of ministack, which this process is going to run."""
    from ministack.services import ec2  # noqa: PLC0415 - reads its settings when it is imported

    def get_console_output(parameters: dict[str, Any]) -> Any:
        identifier = ec2._p(parameters, "InstanceId")  # noqa: SLF001
        instance = ec2._instances.get(identifier)  # noqa: SLF001
        if not instance:
            message = f"The instance ID '{identifier}' does not exist"
            return ec2._error("InvalidInstanceID.NotFound", message, 400)  # noqa: SLF001
        container = ec2._vm_get_container(instance)  # noqa: SLF001
        output = base64.b64encode(container.logs()[-MOST:] if container else b"").decode()
        now = f"{datetime.now(tz=UTC):%Y-%m-%dT%H:%M:%S.000Z}"
        content = f"<instanceId>{identifier}</instanceId><timestamp>{now}</timestamp><output>{output}</output>"
        return ec2._xml(200, "GetConsoleOutputResponse", content)  # noqa: SLF001

    ec2._ACTION_MAP["GetConsoleOutput"] = get_console_output  # noqa: SLF001
