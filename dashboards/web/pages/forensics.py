"""`/forensics`: a window and what it is about → what changed first, the picture, the timeline, one result, files."""

from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from dashboards.web.access import Handler, act_of, guarded, person
from dashboards.web.forensics.choices import choices, nothing, quick
from dashboards.web.forensics.exports import Exports, Form
from dashboards.web.forensics.found import Found, capture, facts, find, raw
from dashboards.web.forensics.question import Question, Wrong, read
from dashboards.web.forensics.strip import strip
from dashboards.web.ladder import ladder, rtp_seconds, side_by_side
from dashboards.web.laddertext import instant, stamp
from dashboards.web.site import Site
from dashboards.web.svg import clean
from dashboards.web.words import Words
from sereno.accounts.audit import note
from sereno.answers.cases import Cases, Lines, Source
from sereno.clock import iso
from sereno.errors import UsageError

_TYPES = {"json": "application/json", "zip": "application/zip", "pcap": "application/vnd.tcpdump.pcap"}
_ABOUT = 160
_RAW = 200_000  # characters; the file has them all


class Forensics:
    """The page, its pieces, and the files that it gives."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._exports = Exports(site.store.url)
        site.closing.append(self._exports.close)

    @property
    def _cases(self) -> Cases:
        found = getattr(self._site.answers, "cases", None)
        if found is None:
            raise HTTPException(503)
        cases: Cases = found
        return cases

    # -- the page -----------------------------------------------------------------------------------------------------

    async def show(self, request: Request) -> Response:
        """The whole of it; what was written in another way goes to the one way of writing it first."""
        return await self._site.threaded(lambda: self._shown(request))

    def _shown(self, request: Request) -> Response:
        words, now_us = self._site.words(request), self._site.clock.now_us()
        try:
            question = read(request.query_params, words, now_us)
        except Wrong as error:
            return self._wrong(request, words, Question(), str(error))
        wanted = question.address()
        if not _same(request, question):
            return RedirectResponse(wanted, status_code=303)
        try:
            look = self._cases.look(question.asked(), question.sift(), words.language, now_us, question.after)
        except UsageError as error:
            return self._wrong(request, words, question, self._mended(words, question, error))
        head = look.head
        whole = question.but(from_us=head.from_us, to_us=head.to_us, after=question.after)

        def zoom(from_us: int, to_us: int) -> str:
            return question.address(from_us=from_us, to_us=to_us, result=None)

        values: dict[str, Any] = {
            "question": question, "whole": whole, "look": look, "head": head,
            "strip": strip(words, look.picture, zoom), "rows": self._rows(words, question, look.lines),
            "choices": choices(words, self._site.topology(), question), "quick": quick(words, whole, now_us),
            "nothing": nothing(words, look, now_us), "at": lambda at_us: instant(words, at_us),
            "stamp": lambda at_us: stamp(words, at_us),
            "detail": self._detail(words, question.result) if question.result is not None else None,
            "wrong": "",
        }  # fmt: skip
        return self._site.render(request, "forensics.html", **values)

    def _wrong(self, request: Request, words: Words, question: Question, said: str) -> Response:
        given = {name: request.query_params.get(name, "")[:80] for name in ("from", "to", "incident")}
        values: dict[str, Any] = {
            "question": question, "wrong": said, "given": given, "look": None, "detail": None,
            "choices": choices(words, self._site.topology(), question),
            "quick": quick(words, question, self._site.clock.now_us()),
        }  # fmt: skip
        return self._site.render(request, "forensics.html", status=400, **values)

    def _mended(self, words: Words, question: Question, error: UsageError) -> str:
        """What the engine refuses, in the reader's words."""
        if question.incident is not None:
            return words.text("There is no incident {number}.", number=question.incident)
        if question.about is not None:
            kind = words.text(f"kind:{question.about}")
            return words.text(
                "In this window there is no {kind} named {name}: choose one of the list.",
                kind=kind,
                name=question.name[:80],
            )
        return str(error)

    def _rows(self, words: Words, question: Question, lines: Lines) -> str:
        return self._site.fragment(
            "forensics/rows.html", w=words, lines=lines, question=question, iso=iso, more=question.address
        )

    async def lines(self, request: Request) -> Response:
        """The next rows, for a page that is open already."""

        def found() -> Response:
            words, now_us = self._site.words(request), self._site.clock.now_us()
            try:
                question = read(request.query_params, words, now_us)
                lines = self._cases.lines(question.asked(), question.sift(), words.language, now_us, question.after)
            except (Wrong, UsageError):
                raise HTTPException(400) from None
            return Response(
                self._rows(words, question, lines), media_type="text/html", headers={"cache-control": "no-store"}
            )

        return await self._site.threaded(found)

    # -- one result ---------------------------------------------------------------------------------------------------

    def _found(self, source: Source) -> Found | None:
        with self._site.store.read() as connection:
            return find(connection, source)

    def _detail(self, words: Words, source: Source) -> str:
        """The result that is open, as a piece of the page."""
        found = self._found(source)
        if found is None:
            return self._site.fragment("forensics/gone.html", w=words, source=source)
        body = found.row.body
        pictures = ladder(words, body)
        if found.good_body is not None and found.row.outcome != "ok" and _kept(found.good_body):
            pictures = side_by_side(words, body, found.good_body)
        return self._site.fragment(
            "forensics/result.html",
            w=words, found=found, pictures=pictures, seconds=rtp_seconds(words, body),
            facts=facts(found.body), raw=clean(raw(found.row), _RAW, lines=True),
            at=lambda at_us: instant(words, at_us),
            place=f"/forensics/result/{source.probe}/{source.boot}/{source.seq}",
        )  # fmt: skip

    async def result(self, request: Request) -> Response:
        """A result's own page, for tickets; `?fragment=1` is the piece that `/forensics` shows."""
        source = _source(request)

        def shown() -> Response | None:
            words = self._site.words(request)
            found = self._found(source)
            if found is None:
                return None
            detail = self._detail(words, source)
            if request.query_params.get("fragment") == "1":
                return Response(detail, media_type="text/html", headers={"cache-control": "no-store"})
            return self._site.render(request, "forensics_result.html", detail=detail, found=found, iso=iso)

        page = await self._site.threaded(shown)
        return page or await self._site.missing(request, "There is no such result: retention deletes old ones.")

    async def json(self, request: Request) -> Response:
        """A result as it is stored."""
        return await self._file(request, "json")

    async def pcap(self, request: Request) -> Response:
        """Its messages."""
        return await self._file(request, "pcap")

    async def _file(self, request: Request, form: str) -> Response:
        """Who took it is in the audit log."""
        source = _source(request)

        def made() -> Response | None:
            found = self._found(source)
            if found is None:
                return None
            data = found.row.body.encode() if form == "json" else capture(found)
            if data is None:
                return None
            self._noted(request, f"result {source.probe}/{source.boot}/{source.seq} {form}")
            name = f"{source.probe}-{source.boot}-{source.seq}.{form}"
            return Response(data, media_type=_TYPES[form], headers=_attached(name))

        answer = await self._site.threaded(made)
        return answer or await self._site.missing(request, "There is no such file: this result kept no messages.")

    # -- a window as files --------------------------------------------------------------------------------------------

    async def export_json(self, request: Request) -> Response:
        """The window as one document."""
        return await self._export(request, "json")

    async def export_zip(self, request: Request) -> Response:
        """The window as `sereno forensics --export` writes it, in one archive."""
        return await self._export(request, "zip")

    async def _export(self, request: Request, form: Form) -> Response:
        """Begins an export, and leads to its page."""

        def asked() -> Question | str:
            words, now_us = self._site.words(request), self._site.clock.now_us()
            try:
                question = read(request.query_params, words, now_us)
            except Wrong as error:
                return str(error)
            self._noted(request, f"window {form} {question.query()}")
            return question

        question = await self._site.threaded(asked)
        if isinstance(question, str):
            raise HTTPException(400, question)
        whole = msgspec.structs.replace(question.asked(), only=None)
        job = self._exports.begin(whole, form, person(request).name)
        if job is None:
            return await self._site.page(request, "forensics_export.html", status=503, job=None, size=0)
        return RedirectResponse(f"/forensics/exports/{job.id}", status_code=303)

    async def job(self, request: Request) -> Response:
        """How far an export is; where it is, when it is whole."""
        job = self._exports.find(request.path_params["job"], person(request).name)
        if job is None:
            return await self._site.missing(request, "There is no such export: it is kept for a quarter of an hour.")
        if request.url.path.endswith("/file"):
            if job.file is None:
                raise HTTPException(404)
            name = f"sereno-forensics.{job.form}"
            return FileResponse(
                job.file, media_type=_TYPES[job.form], filename=name, headers={"cache-control": "no-store"}
            )
        size = job.file.stat().st_size if job.file is not None else 0
        return await self._site.page(request, "forensics_export.html", job=job, size=size)

    def _noted(self, request: Request, about: str) -> None:
        act = act_of(request, self._site.clock.now_us())
        with self._site.store.write() as connection:
            note(connection, act, what="forensics.export", about=about[:_ABOUT])


def _same(request: Request, question: Question) -> bool:
    """Whether the URL is already written in the one way (`lang` is not part of the question)."""
    given = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
    return sorted(given) == sorted(question.pairs())


def _source(request: Request) -> Source:
    given = request.path_params
    return Source(given["probe"][:64], given["boot"][:64], given["seq"] if given["seq"] < 1 << 62 else 0)


def _kept(body: str) -> bool:
    return '"messages"' in body


def _attached(name: str) -> dict[str, str]:
    safe = "".join(one if one.isascii() and (one.isalnum() or one in "-._") else "_" for one in name)
    return {"content-disposition": f'attachment; filename="{safe}"', "cache-control": "no-store"}


def routes(site: Site) -> list[BaseRoute]:
    page = Forensics(site)
    result = "/forensics/result/{probe}/{boot}/{seq:int}"
    handlers: dict[str, Handler] = {
        "/forensics": page.show,
        "/forensics/lines": page.lines,
        result: page.result,
        f"{result}.json": page.json,
        f"{result}.pcap": page.pcap,
        "/forensics/export.json": page.export_json,
        "/forensics/export.zip": page.export_zip,
        "/forensics/exports/{job}": page.job,
        "/forensics/exports/{job}/file": page.job,
    }
    return [Route(path, guarded("forensics", handler), methods=["GET"]) for path, handler in handlers.items()]
