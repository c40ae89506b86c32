"""Builds what is in C: the meter with the capture helper beside it, the SIP client's wire, the clock of test calls.

Everything else is in pyproject.toml.
"""

from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

METER = "probes.media._meter"
SOURCES = Path("probes/media/csrc")
WIRE = "probes.sip._wire"
WIRE_SOURCES = Path("probes/sip/csrc/wire")
TICKER = Path("probes/sip/csrc")
CFLAGS = [
    "-O3",
    "-std=c11",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-missing-field-initializers",
    "-fvisibility=hidden",
    "-pthread",
]


class BuildWithHelper(build_ext):
    """The helper is a program of its own: it may be given CAP_NET_RAW, which no Python should have."""

    def run(self) -> None:
        super().run()
        sources = sorted(str(path) for path in (SOURCES / "helper").glob("*.c"))
        objects = self.compiler.compile(sources, output_dir=self.build_temp, extra_postargs=CFLAGS)
        folder = Path(self.get_ext_fullpath(METER)).parent
        (folder / "capture-helper").unlink(missing_ok=True)  # a running one is not written over
        self.compiler.link_executable(objects, "capture-helper", output_dir=str(folder))


setup(
    cmdclass={"build_ext": BuildWithHelper},
    ext_modules=[
        Extension(
            METER,
            sources=sorted(str(path) for path in SOURCES.glob("*.c")),
            depends=sorted(str(path) for path in SOURCES.glob("*.h")),
            extra_compile_args=CFLAGS,
            extra_link_args=["-pthread"],
        ),
        Extension(
            WIRE,
            sources=sorted(str(path) for path in WIRE_SOURCES.glob("*.c")),
            depends=sorted(str(path) for path in WIRE_SOURCES.glob("*.h")),
            extra_compile_args=[*CFLAGS, "-D_GNU_SOURCE"],
        ),
        Extension(
            "probes.sip._ticker",
            sources=sorted(str(path) for path in TICKER.glob("*.c")),
            depends=sorted(str(path) for path in TICKER.glob("*.h")),
            extra_compile_args=CFLAGS,
            extra_link_args=["-pthread"],
        ),
    ],
)
