"""How Grafana imports a dashboard: rows of panels, each panel a title, a unit and its queries."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from callplane.deployment.options import Body

SCHEMA_VERSION = 39
PANEL_WIDTH, PANEL_HEIGHT, GRID_WIDTH = 8, 8, 24


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph; `queries` maps what the legend says to PromQL."""

    title: str
    unit: str
    queries: dict[str, str]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Panels in reading order, three in a row."""

    uid: str
    title: str
    panels: tuple[Panel, ...]
    tags: tuple[str, ...] = field(default=("callplane",))


def model(dashboard: Dashboard) -> Body:
    """A dashboard as Grafana imports it; the data source is a choice of whoever looks."""
    source = {"type": "prometheus", "uid": "${source}"}
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": list(dashboard.tags),
        "schemaVersion": SCHEMA_VERSION,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [{"name": "source", "type": "datasource", "query": "prometheus"}],
        },
        "panels": [
            {
                "id": number + 1,
                "type": "timeseries",
                "title": panel.title,
                "description": panel.description,
                "datasource": source,
                "gridPos": _place(number),
                "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
                "targets": [
                    {
                        "refId": chr(ord("A") + index),
                        "datasource": source,
                        "expr": expression,
                        "legendFormat": legend,
                    }
                    for index, (legend, expression) in enumerate(panel.queries.items())
                ],
            }
            for number, panel in enumerate(dashboard.panels)
        ],
    }


def text(dashboard: Dashboard) -> str:
    """The file of a dashboard."""
    return json.dumps(model(dashboard), indent=2, ensure_ascii=False) + "\n"


def _place(number: int) -> Body:
    across = GRID_WIDTH // PANEL_WIDTH
    row, column = divmod(number, across)
    return {
        "x": column * PANEL_WIDTH,
        "y": row * PANEL_HEIGHT,
        "w": PANEL_WIDTH,
        "h": PANEL_HEIGHT,
    }
