"""Colours, light and dark. A renderer that knows no media queries sees the light ones."""

_LIGHT = {
    "paper": "#ffffff", "ink": "#1b2733", "quiet": "#5c6b7a", "grid": "#e3e8ee", "frame": "#c9d2db",
    "jitter": "#1f6fb5", "peak": "#bcd8ef", "lost": "#c62f3b", "discarded": "#e5a13a", "mos": "#1d7f5c",
    "burst": "#c62f3b", "poor": "#fdf4f4", "fair": "#fefaf0",
}  # fmt: skip
_DARK = {
    "paper": "#11181f", "ink": "#e8edf2", "quiet": "#9aa9b8", "grid": "#26323d", "frame": "#3a4855",
    "jitter": "#6cb2ee", "peak": "#25486a", "lost": "#f0727b", "discarded": "#e8b35c", "mos": "#58c79b",
    "burst": "#f0727b", "poor": "#22191d", "fair": "#221e18",
}  # fmt: skip


def style(*, dark: bool = True, page: bool = False) -> str:
    """CSS of the pictures; `dark`: for those who prefer it, too; `page`: inside a page that has its own paper."""
    light = _rules(_LIGHT, page=page)
    if not dark:
        return light
    # Paper is light, whatever the screen.
    return f"{light}@media screen and (prefers-color-scheme:dark){{{_rules(_DARK, page=page)}}}"


def _rules(c: dict[str, str], *, page: bool) -> str:
    fills = "".join(f".p-{name}{{fill:{colour}}}" for name, colour in c.items() if not (page and name == "paper"))
    return (
        f"{fills}.p-burst{{fill-opacity:.16}}"
        f".p-line-grid{{stroke:{c['grid']}}}.p-line-frame{{stroke:{c['frame']}}}"
        f".p-line-jitter{{stroke:{c['jitter']}}}.p-line-mos{{stroke:{c['mos']}}}"
        ".p-line-grid,.p-line-frame{fill:none;stroke-width:1}"
        ".p-line-jitter,.p-line-mos{fill:none;stroke-width:1.6;stroke-linejoin:round}"
        f".p-bare{{fill:none}}"
    )


FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif"
