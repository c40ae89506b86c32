"""Grafana boards as code: `render` writes the Classic JSON, committed in `boards/` and provisioned from files."""

import json
from pathlib import Path
from typing import Any

LACKING = {"percentChangeColorMode"}  # the builders always write it; Grafana 11.0 does not know it


def render(folder: Path) -> list[Path]:
    """Writes every board into a folder and returns the paths; the same bytes at every run."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder

    from dashboards.grafana import panorama

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, build in (("panorama", panorama.build),):
        path = folder / f"{name}.json"
        board = _known_everywhere(json.loads(json.dumps(build(), cls=JSONEncoder)))
        text = json.dumps(board, indent=2, sort_keys=True, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
        written.append(path)
    return written


def _known_everywhere(node: Any) -> Any:
    """The same JSON without the keys that one of the Grafana versions we promise does not know."""
    if isinstance(node, dict):
        return {key: _known_everywhere(value) for key, value in node.items() if key not in LACKING}
    if isinstance(node, list):
        return [_known_everywhere(value) for value in node]
    return node
