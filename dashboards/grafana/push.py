"""Boards, folder, datasource and annotations into a running Grafana, by its HTTP API; again and again to the same end.

Everything is looked up before it is written, so that a second push writes nothing. Errors of the client are told once,
here, in one line.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests.exceptions
from grafana_client.api import GrafanaApi
from grafana_client.client import GrafanaClientError, GrafanaException

from dashboards.grafana import boards
from dashboards.grafana.frame import TAG
from dashboards.grafana.marks import Mark, steps
from sereno.errors import SerenoError, UsageError
from sereno.version import __version__

TIMEOUT_SECONDS = 10.0
SCRAPE = "5s"  # of deploy/prometheus/prometheus.yml: what $__rate_interval is computed from
_MOST_MARKS = 10_000
_BESIDE = {"id", "version"}  # of a stored board: Grafana's own count
Said = Callable[[str], None]


class GrafanaError(SerenoError):
    """Grafana refuses, or cannot be reached."""

    exit_code = 1


class Wanted(NamedTuple):
    """What a push is to bring about."""

    folder: str
    language: str
    pages: str
    datasource: str | None = None  # its name in Grafana
    prometheus: str | None = None  # its address: make or mend the datasource


class Grafana:
    """One server. Each method says what it did: created, updated or unchanged."""

    def __init__(self, url: str, token: str, ca_file: Path | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError(f"--url {url}: give Grafana's address, such as https://grafana.example")
        if parts.username or parts.password:
            raise UsageError("--url: leave user and password out; put a service account's token into --token-file")
        prefix = parts.path.strip("/")
        self.url = url
        self._api: Any = GrafanaApi(
            token, host=_bracketed(parts.hostname), port=parts.port, protocol=parts.scheme,
            url_path_prefix=f"{prefix}/" if prefix else "", verify=str(ca_file) if ca_file is not None else True,
            timeout=TIMEOUT_SECONDS, user_agent=f"sereno/{__version__}",
        )  # fmt: skip

    def version(self) -> str:
        with self._told("read its version"):
            return str(self._api.client.GET("/health").get("version", "unknown"))

    def folder(self, title: str) -> tuple[str, str]:
        """Its uid, by its title."""
        with self._told(f"make the folder {title}"):
            for one in self._api.folder.get_all_folders():
                if one["title"] == title:
                    return one["uid"], "unchanged"
            return str(self._api.folder.create_folder(title)["uid"]), "created"

    def datasource(self, name: str, prometheus: str | None) -> tuple[str, str]:
        """Its uid, by its name; made or mended where the address of a Prometheus is given."""
        with self._told(f"read the data source {name}"):
            found = self._named(name, needed=prometheus is not None)
        if prometheus is None:
            if found is None:
                raise GrafanaError(f"{self.url}: no data source {name}; give --prometheus URL and it is made")
            return found["uid"], "unchanged"
        wanted = {"name": name, "type": "prometheus", "access": "proxy", "url": prometheus}
        with self._told(f"write the data source {name}"):
            if found is None:
                made = self._api.datasource.create_datasource(
                    wanted | {"jsonData": {"timeInterval": SCRAPE, "httpMethod": "POST"}}
                )
                return str(made["datasource"]["uid"]), "created"
            if all(found.get(key) == value for key, value in wanted.items()):
                return found["uid"], "unchanged"
            self._api.datasource.update_datasource_by_uid(found["uid"], found | wanted)
            return found["uid"], "updated"

    def board(self, board: dict[str, Any], folder_uid: str) -> str:
        uid = board["uid"]
        with self._told(f"write the board {uid}"):
            there = self._board(uid)
            if there is not None and there["meta"].get("folderUid") == folder_uid and _alike(there["dashboard"], board):
                return "unchanged"
            self._api.dashboard.update_dashboard(
                {"dashboard": board, "folderUid": folder_uid, "overwrite": True, "message": f"sereno {__version__}"}
            )
            return "created" if there is None else "updated"

    def marks(self, wanted: Sequence[Mark], from_ms: int, to_ms: int) -> dict[str, int]:
        """Brings annotations into step; how many were created, updated, deleted, left."""
        with self._told("read the annotations"):
            found = self._api.annotations.get_annotation(
                time_from=from_ms, time_to=to_ms, tags=[TAG], limit=_MOST_MARKS
            )
            todo = steps(wanted, found)
        with self._told("write the annotations"):
            for mark in todo.create:
                self._api.annotations.add_annotation(**_written(mark))
            for number, mark in todo.update:
                self._api.annotations.update_annotation(number, **_written(mark))
            for number in todo.delete:
                self._api.annotations.delete_annotations_by_id(number)
        return {
            "created": len(todo.create), "updated": len(todo.update), "deleted": len(todo.delete),
            "unchanged": todo.unchanged,
        }  # fmt: skip

    def _named(self, name: str, *, needed: bool) -> dict[str, Any] | None:
        """The datasource; None where there is none. Who may not read datasources may still name one."""
        try:
            return dict(self._api.datasource.get_datasource_by_name(name))
        except GrafanaClientError as error:
            if error.status_code == HTTPStatus.NOT_FOUND:
                return None
            if error.status_code == HTTPStatus.FORBIDDEN and not needed:
                return {"uid": name}  # Grafana takes a name where a uid is wanted
            raise

    def _board(self, uid: str) -> dict[str, Any] | None:
        try:
            return dict(self._api.dashboard.get_dashboard(uid))
        except GrafanaClientError as error:
            if error.status_code == HTTPStatus.NOT_FOUND:
                return None
            raise

    @contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        """Errors of the client in our words: where, what, how to mend it."""
        try:
            yield
        except GrafanaException as error:
            raise GrafanaError(f"{self.url}: cannot {doing}: {_said(error)}") from None
        except requests.exceptions.Timeout:
            words = f"no answer within {TIMEOUT_SECONDS:g} s; is it overloaded, or something in between?"
            raise GrafanaError(f"{self.url}: cannot {doing}: {words}") from None
        except requests.exceptions.RequestException as error:
            raise GrafanaError(f"{self.url}: cannot be reached ({_kind(error)}); is the address right?") from None
        except (AttributeError, KeyError, TypeError, ValueError):
            raise GrafanaError(
                f"{self.url}: cannot {doing}: its answer is none of Grafana's; is the address right?"
            ) from None


def push(grafana: Grafana, wanted: Wanted, said: Said) -> dict[str, Any]:
    """Folder, datasource and boards; `said` hears each step as it is done."""
    version = grafana.version()
    said(f"Grafana {version}")
    folder_uid, what = grafana.folder(wanted.folder)
    said(f"folder {wanted.folder}: {what}")
    told: dict[str, Any] = {
        "grafana": {"url": grafana.url, "version": version},
        "folder": {"uid": folder_uid, "title": wanted.folder, "what": what},
        "datasource": None,
        "boards": [],
    }
    chosen = None
    if wanted.datasource is not None:
        uid, what = grafana.datasource(wanted.datasource, wanted.prometheus)
        chosen = {"text": wanted.datasource, "value": uid}
        told["datasource"] = {"uid": uid, "name": wanted.datasource, "what": what}
        said(f"data source {wanted.datasource}: {what}")
    for _, board in boards(wanted.language, wanted.pages):
        if chosen is not None:
            board["templating"]["list"][0]["current"] = chosen
        what = grafana.board(board, folder_uid)
        told["boards"].append({"uid": board["uid"], "title": board["title"], "what": what})
        said(f"{board['title']}: {what}")
    return told


def _alike(there: dict[str, Any], board: dict[str, Any]) -> bool:
    return {key: value for key, value in there.items() if key not in _BESIDE} == board


def _written(mark: Mark) -> dict[str, Any]:
    """A mark that goes on is a point: Grafana has no regions without an end."""
    until = mark.from_ms if mark.until_ms is None else mark.until_ms
    return {"time_from": mark.from_ms, "time_to": until, "tags": mark.all_tags(), "text": mark.text}


def _said(error: GrafanaException) -> str:
    """The fault, and how to mend it where we know."""
    status = int(error.status_code)
    if status == HTTPStatus.UNAUTHORIZED:
        return "it refuses the token (401); make a token of a service account and put it into --token-file"
    if status == HTTPStatus.FORBIDDEN:
        return "the token may not (403); give its service account the role Editor, or Admin for --prometheus"
    if status == HTTPStatus.PRECONDITION_FAILED:
        return "a provisioned board of that uid stands there (412); use file provisioning or push, not both"
    response = error.response
    words = response.get("message") if isinstance(response, dict) else None
    return f"{words or 'no reason given'} ({status})"


def _kind(error: Exception) -> str:
    """The kind of a network error in a word or two; its own text may be long and name our own parts."""
    names = {"ConnectTimeout": "timed out", "ReadTimeout": "timed out", "SSLError": "its certificate is not trusted"}
    return names.get(type(error).__name__, "no connection")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
