"""Builds the C meter; everything else is in pyproject.toml."""

from setuptools import Extension, setup

CFLAGS = ["-O3", "-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers", "-fvisibility=hidden"]

setup(
    ext_modules=[
        Extension(
            "probes.media._meter",
            sources=[
                "probes/media/csrc/binding.c",
                "probes/media/csrc/kernel.c",
                "probes/media/csrc/pcap.c",
                "probes/media/csrc/ring.c",
            ],
            depends=["probes/media/csrc/kernel.h", "probes/media/csrc/pcap.h", "probes/media/csrc/ring.h"],
            extra_compile_args=CFLAGS,
        )
    ]
)
