"""Grafana boards as code: `render` writes the Classic JSON, committed in `boards/` and provisioned from files."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LANGUAGES = ("es", "en")
# What the builders always write and some version we promise does not know; where one asks for it, it has a default.
LACKING = {"percentChangeColorMode", "allowCustomValue", "auto", "auto_min", "auto_count"}
LACKING_IN = {"bargauge": {"legend"}, "table": {"footer"}, "state-timeline": {"perPage"}}  # options of a panel type


def boards(language: str = "es", pages: str | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and JSON model of every board in a language; `pages` is the address of Sereno's own pages."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder

    from dashboards.grafana import frame, health, incident, media, panorama, paths, registration, slo
    from dashboards.grafana.kit import Speech

    words = Speech(language)
    for module in (panorama, paths, registration, media, slo, incident, health):
        made = frame.build(module.ABOUT, words, pages or frame.PAGES)
        yield module.ABOUT.name, _known_everywhere(json.loads(json.dumps(made, cls=JSONEncoder)))


def render(folder: Path, language: str = "es", pages: str | None = None) -> list[Path]:
    """Writes every board into a folder and returns the paths; the same bytes at every run."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, board in boards(language, pages):
        path = folder / f"{name}.json"
        path.write_text(json.dumps(board, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(path)
    return written


def _known_everywhere(node: Any) -> Any:
    """The same JSON without the keys that one of the Grafana versions we promise does not know."""
    if isinstance(node, dict):
        made = {key: _known_everywhere(value) for key, value in node.items() if not _lacking(key, value)}
        for key in LACKING_IN.get(str(node.get("type")), ()):
            made["options"].pop(key, None)
        return made
    if isinstance(node, list):
        return [_known_everywhere(value) for value in node]
    return node


def _lacking(key: str, value: Any) -> bool:
    """Whether a key is unknown somewhere, or says nothing: a row or a list of annotations has no targets."""
    return key in LACKING or (key == "placement" and value == "inControlsMenu") or (key == "targets" and not value)
