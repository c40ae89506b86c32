"""Builds the C meter; everything else is in pyproject.toml."""

from setuptools import Extension, setup

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

setup(
    ext_modules=[
        Extension(
            "probes.media._meter",
            sources=[
                "probes/media/csrc/binding.c",
                "probes/media/csrc/formats.c",
                "probes/media/csrc/frame.c",
                "probes/media/csrc/kernel.c",
                "probes/media/csrc/pcap.c",
                "probes/media/csrc/ring.c",
                "probes/media/csrc/stream.c",
            ],
            depends=[
                f"probes/media/csrc/{name}.h" for name in ("formats", "frame", "kernel", "pcap", "ring", "stream")
            ],
            extra_compile_args=CFLAGS,
            extra_link_args=["-pthread"],
        )
    ]
)
