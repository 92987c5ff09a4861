"""Filters: what the gathered information about the monitoring says, and the alarms and dashboard that are desired."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.csv_to_aurora.aws.plugins.plugin_utils.kinds import alarms_current

Gathered = Mapping[str, Any]
State = dict[str, Any]

GIB = 1024**3
SERVERLESS = "db.serverless"
GIB_OF_ACU = 2
_CLASS = re.compile(r"db\.(?P<family>t|r|x2g)\w*\.(?:(?P<size>small|medium|large)|(?P<times>[1-9][0-9]*)?xlarge)")
_MEMORY = {
    "t": {"small": 2, "medium": 4, "large": 8, "xlarge": 16},
    "r": {"large": 16, "xlarge": 32},
    "x2g": {"large": 32, "xlarge": 64},
}
"""GiB of the sizes of each family; a multiple of xlarge has a multiple of it."""
_LOCAL_STORAGE = {"small": 32, "medium": 32, "large": 32, "xlarge": 80}
"""GiB of the temporary storage of each size, at most."""
_CONNECTIONS = {2: 45, 4: 90, 8: 135, 16: 1000, 32: 2000, 64: 3000, 128: 4000, 256: 5000, 384: 6000, 768: 7000}
"""The default of max_connections from so many GiB of memory on."""
_SERVERLESS_CONNECTIONS = 90
"""What Serverless v2 has at least."""
_PAUSING_CONNECTIONS = 2000
"""What Serverless v2 has at most where its lowest capacity is at most PAUSING_CAPACITY."""
_PAUSING_CAPACITY = 0.5

_DAY = 1440
COLUMNS = 24
"""The width of a dashboard."""
PERIOD = 300
_HEADER_HEIGHT, _ALARMS_HEIGHT, _GRAPH_HEIGHT = 3, 4, 6


def monitoring_sizes(
    instance_class: str, max_capacity: Any = 0, min_capacity: Any = 1, max_connections: Any = ""
) -> dict[str, int | None]:
    """Return the memory and local storage of a DB instance in bytes, and its connections; None where it is not known.

    Sources: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Concepts.DBInstanceClass.Summary.html,
    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraMySQL.Managing.Performance.html and
    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html

    Args:
        instance_class: Its class, such as db.t4g.medium. The memory of db.serverless is that of its highest capacity,
            which its metrics refer to; it reports no local storage.
        max_capacity: Highest capacity of db.serverless in ACUs.
        min_capacity: Lowest capacity of db.serverless in ACUs.
        max_connections: The cluster parameter of that name; what is no number, such as a formula, is not counted.
    """
    memory, storage = _memory(instance_class, float(max_capacity)), None
    found = _CLASS.fullmatch(instance_class)
    if found:
        storage = _LOCAL_STORAGE[found["size"] or "xlarge"] * int(found["times"] or 1)
        storage += 8 if found["family"] == "x2g" and found["size"] == "large" else 0
    connections = max((number for gib, number in _CONNECTIONS.items() if gib <= memory), default=None)
    if instance_class == SERVERLESS:
        connections = max(connections or 0, _SERVERLESS_CONNECTIONS)
        if float(min_capacity) <= _PAUSING_CAPACITY:
            connections = min(connections, _PAUSING_CONNECTIONS)
    given = str(max_connections)
    return {
        "memory": int(memory * GIB) or None,
        "local_storage": storage * GIB if storage else None,
        "connections": int(given) if given.isdecimal() else connections,
    }


def _memory(instance_class: str, max_capacity: float) -> float:
    """Return the memory of a DB instance in GiB, 0 where it is not known."""
    if instance_class == SERVERLESS:
        return max_capacity * GIB_OF_ACU
    found = _CLASS.fullmatch(instance_class)
    if not found:
        return 0
    return _MEMORY[found["family"]].get(found["size"] or "xlarge", 0) * int(found["times"] or 1)


def monitoring_alarms(known: Mapping[str, State], settings: Mapping[str, Any]) -> dict[str, State]:
    """Return the desired alarms by name, in the fields of the kind CloudWatch alarm.

    Args:
        known: What the role says about each: the kind's fields, ``minutes`` in place of the number of periods, and
            ``when`` it is wanted. A ``threshold`` of null is not known, and the alarm is left out.
        settings: By alarm, what an environment has otherwise: ``threshold``, ``minutes``, or ``enabled: false``.

    Raises:
        AnsibleFilterError: A setting is none, or is for an alarm that the role does not know.
    """
    desired = {}
    for name in sorted({*known, *settings}):
        alarm = _with_settings(name, known, settings.get(name) or {})
        if alarm.pop("when", True) and alarm["threshold"] is not None:
            minutes = alarm.pop("minutes")
            desired[name] = {**alarm, "evaluation_periods": minutes * 60 // alarm["period"]}
    return desired


def monitoring_unknown(known: Mapping[str, State], settings: Mapping[str, Any]) -> list[str]:
    """Return the alarms that are left out only because nobody knows their thresholds.

    Args:
        known: As of monitoring_alarms.
        settings: As of monitoring_alarms.
    """
    found = {name: _with_settings(name, known, settings.get(name) or {}) for name in sorted(known)}
    return [name for name, alarm in found.items() if alarm.get("when", True) and alarm["threshold"] is None]


def _with_settings(name: str, known: Mapping[str, State], given: Any) -> State:
    """Return what the role says about an alarm with what is set for it.

    Raises:
        AnsibleFilterError: What is set is wrong.
    """
    where = "monitoring_alarms in the inventory's group_vars"
    if name not in known:
        raise AnsibleFilterError(f"{where} has '{name}', which is no alarm. There are {', '.join(sorted(known))}.")
    if not isinstance(given, Mapping) or not given.keys() <= {"threshold", "minutes", "enabled"}:
        raise AnsibleFilterError(
            f"{where}: '{name}' takes threshold, minutes and enabled, as a mapping, and nothing else."
        )
    alarm = {**known[name], **{key: given[key] for key in ("threshold", "minutes") if key in given}}
    threshold, minutes = alarm["threshold"], alarm["minutes"]
    if isinstance(threshold, bool) or not isinstance(threshold, int | float | None):
        raise AnsibleFilterError(f"{where}: the threshold of '{name}' is {threshold!r}, which is no number.")
    shortest = alarm["period"] // 60
    if isinstance(minutes, bool) or not isinstance(minutes, int) or not 0 < minutes <= _DAY or minutes % shortest:
        wanted = f"a multiple of {shortest} up to {_DAY}" if shortest > 1 else f"a whole number from 1 to {_DAY}"
        raise AnsibleFilterError(f"{where}: the minutes of '{name}' are {minutes!r}, which is not {wanted}.")
    enabled = given.get("enabled", True)
    if not isinstance(enabled, bool):
        raise AnsibleFilterError(f"{where}: enabled of '{name}' is {enabled!r}, which is neither true nor false.")
    alarm["when"] = alarm.get("when", True) and enabled
    return alarm


def _managed_by(tags: Mapping[str, str]) -> str:
    """Return the words by which the dashboard of a stack is recognised: the emulators keep no tags of dashboards."""
    return f"Managed by Ansible, project {tags.get('Project', '')}, environment {tags.get('Environment', '')}"


def monitoring_dashboard(rows: Sequence[Sequence[State]], about: Mapping[str, Any]) -> State:
    """Return the body of the dashboard.

    Args:
        rows: The graphs, row by row. Each has a ``title``, a ``stat`` and ``metrics``, a list of ``of`` (a key of the
            sources), ``name``, ``label`` and, where it differs from the graph's, ``stat``; ``alarm`` is the alarm whose
            threshold it shows.
        about: ``name``, ``tags``, ``region``, ``text`` for the header, ``alarm_arns``, ``alarms`` as monitoring_alarms
            returns them, and ``sources``: what each metric begins with, ``namespace`` and ``dimensions``.
    """
    header = f"# {about['name']}\n{_managed_by(about['tags'])}. {' '.join(about['text'].split())}"
    widgets = [
        _widget("text", (0, COLUMNS), 0, _HEADER_HEIGHT, {"markdown": header}),
        _widget(
            "alarm",
            (0, COLUMNS),
            _HEADER_HEIGHT,
            _ALARMS_HEIGHT,
            {"title": "Alarms", "alarms": sorted(about["alarm_arns"])},
        ),
    ]
    for number, row in enumerate(rows):
        edges = [COLUMNS * position // len(row) for position in range(len(row) + 1)]
        top = _HEADER_HEIGHT + _ALARMS_HEIGHT + _GRAPH_HEIGHT * number
        for edge, graph in zip(pairwise(edges), row, strict=True):
            widgets.append(_widget("metric", edge, top, _GRAPH_HEIGHT, _graph(graph, about)))
    return {"widgets": widgets}


def _widget(kind: str, edges: tuple[int, int], top: int, height: int, properties: State) -> State:
    left, right = edges
    return {"type": kind, "x": left, "y": top, "width": right - left, "height": height, "properties": properties}


def _graph(graph: State, about: Mapping[str, Any]) -> State:
    """Return the properties of a graph."""
    metrics = []
    for metric in graph["metrics"]:
        source = about["sources"][metric["of"]]
        dimensions = [part for pair in source["dimensions"].items() for part in pair]
        rendering = {"label": metric["label"], **({"stat": metric["stat"]} if "stat" in metric else {})}
        metrics.append([source["namespace"], metric["name"], *dimensions, rendering])
    alarm = about["alarms"].get(graph.get("alarm"))
    line = {"annotations": {"horizontal": [{"label": "alarm", "value": alarm["threshold"]}]}} if alarm else {}
    return {
        "title": graph["title"],
        "region": about["region"],
        "view": "timeSeries",
        "stat": graph["stat"],
        "period": PERIOD,
        # Negative values do not occur, and an axis that begins elsewhere makes small changes look large.
        "yAxis": {"left": {"min": 0, "showUnits": False}},
        "metrics": metrics,
        **line,
    }


def monitoring_current(gathered: Gathered, prefix: str, tags: Mapping[str, str]) -> dict[str, State]:
    """Return ``alarms`` by what follows the prefix in their names, and ``dashboard``, each empty where there is none.

    The dashboard has its ``body``, and ``managed``: whether a text in it says that this stack manages it.

    Args:
        gathered: The results of the info modules by ``alarms`` and ``dashboard``.
        prefix: What the names of the role's alarms begin with.
        tags: The stack's tags.
    """
    alarms = alarms_current(gathered["alarms"])
    found = gathered["dashboard"].get("dashboard") or {}
    body = found.get("body")
    widgets = (body.get("widgets") or []) if isinstance(body, Mapping) else []
    texts = [str((widget.get("properties") or {}).get("markdown", "")) for widget in widgets]
    managed = any(f"{_managed_by(tags)}." in text for text in texts)
    return {
        "alarms": {name.removeprefix(prefix): alarm for name, alarm in alarms.items()},
        "dashboard": {"body": body, "managed": managed} if found else {},
    }


def monitoring_outputs(gathered: Gathered, console_url: str) -> State:
    """Return the outputs of the role; null, or an empty list, where something does not exist.

    Args:
        gathered: As of monitoring_current.
        console_url: Where the console shows dashboards, up to the name; empty where there is no console.
    """
    name = (gathered["dashboard"].get("dashboard") or {}).get("name")
    return {
        "alarm_names": sorted(alarms_current(gathered["alarms"])),
        "dashboard_name": name,
        "dashboard_url": f"{console_url}{name}" if name and console_url else None,
    }


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {
            "monitoring_alarms": monitoring_alarms,
            "monitoring_current": monitoring_current,
            "monitoring_dashboard": monitoring_dashboard,
            "monitoring_outputs": monitoring_outputs,
            "monitoring_sizes": monitoring_sizes,
            "monitoring_unknown": monitoring_unknown,
        }
