# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A stack as a picture: boxes for services in rows of layers, lines for flows. Pure: numbers in, numbers out."""

from __future__ import annotations

from ansible_collections.optiinfra.platform.plugins.module_utils._stack import flows

WIDTH, HEIGHT = 168, 58
GAP_X, GAP_Y = 16, 62
LEFT, COLUMNS = 118, 5


def draw(stack, states=None, ports=None):
    """Return {width, height, rows, boxes, lines} of a stack, in units of SVG.

    :arg stack: the project as the lookup ``stack`` returns it
    :arg states: {service: state}, and :arg ports: {service: [port]}
    """
    states, ports = states or {}, ports or {}
    services = stack.get("services") or {}
    steps = list(flows(stack, stack.get("name", "stack")))
    # What the flows name and the stack does not have is outside of it.
    outside = dict.fromkeys(
        name for _flow, step in steps for name in (step["from"], step["to"]) if name not in services
    )
    layers = (stack.get("x-catalog") or {}).get("layers") or {}
    rows = {"Outside": list(outside)}
    for name, service in services.items():
        layer = (service.get("x-catalog") or {}).get("layer")
        rows.setdefault(layers.get(layer, layer or "Services"), []).append(name)
    order = ["Outside", *(title for title in layers.values() if title in rows)]
    boxes, headings, y = {}, [], 12
    for title in dict.fromkeys([*order, *rows]):
        names = rows.get(title) or []
        if not names:
            continue
        headings.append({"title": title, "y": y})
        for index, name in enumerate(names):
            if index and index % COLUMNS == 0:
                y += HEIGHT + 14
            about = (services.get(name) or {}).get("x-catalog") or {}
            boxes[name] = {
                "name": name,
                "title": about.get("title", name),
                "purpose": about.get("purpose", ""),
                "ports": ports.get(name, []),
                "state": states.get(name, "unknown") if name in services else "outside",
                "x": LEFT + index % COLUMNS * (WIDTH + GAP_X),
                "y": y,
            }
        y += HEIGHT + GAP_Y
    lines = [
        {"flow": flow, "text": f"{flow}: {step['from']} to {step['to']}, {step['label']}", "path": path}
        for flow, step in steps
        for path in [_curve(boxes[step["from"]], boxes[step["to"]])]
    ]
    return {
        "title": (stack.get("x-catalog") or {}).get("title") or stack.get("name", ""),
        "width": LEFT + COLUMNS * (WIDTH + GAP_X),
        "height": max(y - GAP_Y + 24, HEIGHT),
        "rows": headings,
        "boxes": list(boxes.values()),
        "lines": lines,
    }


def _curve(start, end):
    if start["y"] == end["y"]:
        right = end["x"] > start["x"]
        x1, x2 = (start["x"] + WIDTH, end["x"]) if right else (start["x"], end["x"] + WIDTH)
        y = start["y"] + HEIGHT // 2
        bend = HEIGHT if abs(x2 - x1) > GAP_X + 1 else 0
        return f"M{x1},{y} C{(x1 + x2) // 2},{y + bend} {(x1 + x2) // 2},{y + bend} {x2},{y}"
    down = end["y"] > start["y"]
    y1, y2 = (start["y"] + HEIGHT, end["y"]) if down else (start["y"], end["y"] + HEIGHT)
    x1, x2 = start["x"] + WIDTH // 2, end["x"] + WIDTH // 2
    bend = (y2 - y1) // 2
    return f"M{x1},{y1} C{x1},{y1 + bend} {x2},{y2 - bend} {x2},{y2}"
