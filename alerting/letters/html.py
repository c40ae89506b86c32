"""A message as HTML mail: one column, no pictures, nothing fetched; dark letters on white, a bar in its gravity."""

from html import escape

from alerting.effects import Notification
from alerting.words import say

_COLOURS = {"Urgente": "#b3261e", "Alta": "#b25a00", "Normal": "#7a6200", "Baja": "#3d5a80"}
_OVER = "#1e6b3a"
_QUIET = "#3d5a80"
_FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"


def html(message: Notification) -> str:
    """The whole document."""
    colour = _colour(message)
    parts = [
        f'<div style="height:6px;background:{colour};border-radius:6px 6px 0 0"></div>',
        '<div style="padding:20px 24px 24px">',
        f'<div style="font-size:18px;line-height:1.35;font-weight:600;margin:0 0 16px">{escape(message.subject)}</div>',
        _rows(message) if message.rows else _paragraphs(message.body),
        _steps(message),
        _buttons(message, colour),
        "</div>",
    ]
    return (
        f'<!DOCTYPE html><html lang="{escape(message.locale.partition("_")[0])}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(message.subject)}</title></head>'
        f'<body style="margin:0;padding:16px;background:#f3f4f6;color:#1b1f24;{_FONT}">'
        '<div style="max-width:640px;margin:0 auto;background:#ffffff;border:1px solid #d9dde3;border-radius:6px">'
        f"{''.join(parts)}</div></body></html>"
    )


def _colour(message: Notification) -> str:
    if message.what in {"resolved", "found_late", "customer_solution"}:
        return _OVER
    if message.what.startswith("customer_") or message.what == "test":
        return _QUIET
    return _COLOURS.get(message.priority, _QUIET)


def _rows(message: Notification) -> str:
    cells = "".join(
        '<tr><td style="padding:5px 14px 5px 0;color:#5a6472;white-space:nowrap;vertical-align:top">'
        f'{escape(row.label)}</td><td style="padding:5px 0;vertical-align:top">{escape(row.text)}</td></tr>'
        for row in message.rows
    )
    lead = message.body.partition("\n")[0]
    above = _paragraphs(lead) if message.what.startswith("customer_") else ""
    below = _after_rows(message) if message.what.startswith("customer_") else ""
    table = '<table role="presentation" style="border-collapse:collapse;font-size:14px;line-height:1.45">'
    return f'{above}{table}{cells}</table><div style="height:14px"></div>{below}'


def _after_rows(message: Notification) -> str:
    """What people wrote below the facts."""
    last = message.rows[-1]
    return _paragraphs(message.body.partition(f"{last.label}: {last.text}")[2].strip())


def _steps(message: Notification) -> str:
    if not message.step:
        return ""
    lines = [f"<b>{escape(say(message.locale, 'First step: {step}', step=message.step))}</b>"]
    lines += [escape(f"{place}. {line}") for place, line in enumerate(message.runbook.splitlines(), 1)]
    return (
        '<div style="margin:18px 0 0;padding:12px 14px;background:#f3f4f6;border-radius:4px;font-size:14px;'
        f'line-height:1.5">{"<br>".join(lines)}</div>'
    )


def _buttons(message: Notification, colour: str) -> str:
    found = ""
    if message.ack_url:
        text = say(message.locale, "Acknowledge")
        found += (
            f'<a href="{escape(message.ack_url)}" style="display:inline-block;margin:18px 12px 0 0;padding:10px 18px;'
            f'background:{colour};color:#ffffff;border-radius:4px;text-decoration:none;font-weight:600">{escape(text)}</a>'
        )
    if message.url:
        text = say(message.locale, "Incident and evidence" if message.incident else "All incidents")
        found += (
            f'<a href="{escape(message.url)}" style="display:inline-block;margin:18px 0 0;padding:10px 0;'
            f'color:#1f4e8c">{escape(text)}</a>'
        )
    return found


def _paragraphs(text: str) -> str:
    lines = "<br>".join(escape(line) for line in text.splitlines())
    return f'<p style="margin:0 0 14px;font-size:14px;line-height:1.5">{lines}</p>' if lines else ""
