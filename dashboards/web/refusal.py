"""How the API says no: a status and one line, `{"error": "…"}`."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """The request ends here, with these words."""

    def __init__(self, status: int, what: str, **headers: str) -> None:
        self.status, self.headers = status, {key.replace("_", "-"): value for key, value in headers.items()}
        super().__init__(" ".join(what.split()))

    def answer(self) -> Response:
        headers = {"cache-control": "no-store", **self.headers}
        return JSONResponse({"error": str(self)}, status_code=self.status, headers=headers)


async def refused(request: Request, error: Exception) -> Response:
    """How the application answers a refusal."""
    del request
    return error.answer() if isinstance(error, Refused) else Refused(500, "unexpected").answer()


def overloaded(what: str, seconds: int = 5) -> Refused:
    """503: Alertmanager tries again after that and after nothing else."""
    return Refused(503, f"{what}; try again", retry_after=str(seconds))
