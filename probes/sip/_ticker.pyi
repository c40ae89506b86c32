from typing import Self, TypedDict

class Status(TypedDict):
    ticks: int
    skipped: int
    variation_ns: int
    realtime: bool
    error: int

class Ticker:
    def __new__(cls, enter: int, get_frame: int, port: int, samples: int, every_ns: int) -> Self: ...
    def close(self) -> None: ...
    def status(self) -> Status: ...
