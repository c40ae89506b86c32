"""A local HTTP server shaped like the part of Grafana's API that `sereno dashboards push` uses.

It is not Grafana: no Grafana can be installed where the tests run. Paths, bodies and status codes are those of its
HTTP API documents (folders, data sources by name and uid, dashboards, annotations); what it keeps is in memory.
"""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "glsa_secret"


class GrafanaServer:
    """What it holds, and every write that it took."""

    def __init__(self) -> None:
        self.folders: list[dict[str, Any]] = []
        self.datasources: list[dict[str, Any]] = []
        self.boards: dict[str, dict[str, Any]] = {}
        self.annotations: list[dict[str, Any]] = []
        self.writes: list[tuple[str, str]] = []
        self.refuse: dict[str, int] = {}  # path: status to answer with
        self._ids = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or b"null")
                status, told = server.answer(self.command, self.path, body, self.headers.get("Authorization"))
                payload = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - their names are http.server's

            def log_message(self, *args: Any) -> None:
                """Quiet."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def answer(self, method: str, address: str, body: Any, authorization: str | None) -> tuple[int, Any]:
        parts = urlsplit(address)
        path, given = parts.path.removeprefix("/grafana"), parse_qs(parts.query)
        if path == "/api/health":
            return 200, {"version": "13.2.3", "database": "ok", "commit": "x"}
        if authorization != f"Bearer {TOKEN}":
            return 401, {"message": "Invalid API key"}
        if path in self.refuse:
            return self.refuse[path], {"message": "refused"}
        if method != "GET":
            self.writes.append((method, path))
        for pattern, found in (
            (r"/api/folders", self._folders), (r"/api/datasources(/name/|/uid/)?(.*)", self._datasources),
            (r"/api/dashboards/(db|uid/.+)", self._boards), (r"/api/annotations(?:/(\d+))?", self._annotations),
        ):  # fmt: skip
            if matched := re.fullmatch(pattern, path):
                return found(method, body, given, *matched.groups())
        return 404, {"message": "Not found"}

    def _number(self) -> int:
        self._ids += 1
        return self._ids

    def _folders(self, method: str, body: Any, _given: Any) -> tuple[int, Any]:
        if method == "GET":
            return 200, self.folders
        made = {"id": self._number(), "uid": f"f{self._ids}", "title": body["title"]}
        self.folders.append(made)
        return 200, made

    def _datasources(self, method: str, body: Any, _given: Any, how: str | None, name: str) -> tuple[int, Any]:
        if method == "POST":
            made = body | {"id": self._number(), "uid": f"d{self._ids}", "version": 1}
            self.datasources.append(made)
            return 200, {"datasource": made, "name": body["name"], "message": "Datasource added"}
        key = "name" if how == "/name/" else "uid"
        for one in self.datasources:
            if one[key] == name:
                if method == "PUT":
                    one.update(body)
                return 200, one
        return 404, {"message": "Data source not found"}

    def _boards(self, method: str, body: Any, _given: Any, what: str) -> tuple[int, Any]:
        if method == "GET":
            there = self.boards.get(what.removeprefix("uid/"))
            return (200, there) if there is not None else (404, {"message": "Dashboard not found"})
        board = body["dashboard"]
        there = self.boards.get(board["uid"])
        if there is not None and not body["overwrite"]:
            return 412, {"message": "version mismatch", "status": "version-mismatch"}
        version = 1 if there is None else there["dashboard"]["version"] + 1
        stored = board | {"id": self._number(), "version": version}
        self.boards[board["uid"]] = {"dashboard": stored, "meta": {"folderUid": body["folderUid"]}}
        return 200, {"id": self._ids, "uid": board["uid"], "status": "success", "version": version}

    def _annotations(self, method: str, body: Any, given: Any, number: str | None) -> tuple[int, Any]:
        if method == "GET":
            begin, end = int(given["from"][0]), int(given["to"][0])
            tags, limit = set(given.get("tags", ())), int(given["limit"][0])
            found = [one for one in self.annotations if tags <= set(one["tags"])]
            return 200, [one for one in found if one["timeEnd"] >= begin and one["time"] <= end][:limit]
        if method == "POST":
            self.annotations.append(body | {"id": self._number()})
            return 200, {"id": self._ids, "message": "Annotation added"}
        for one in self.annotations:
            if str(one["id"]) == number:
                if method == "DELETE":
                    self.annotations.remove(one)
                else:
                    one.update(body)
                return 200, {"message": "done"}
        return 404, {"message": "Annotation not found"}
