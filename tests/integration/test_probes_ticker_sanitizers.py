"""The clock of test calls under the sanitizers: a thread started, read and ended many times over."""

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "probes/sip/csrc"
PROGRAM = r"""
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "ticker.h"
static int taken(const char *name, long *description, void **thread) {
    description[TICKER_DESCRIPTION - 1] = (long)name;
    *thread = description;
    return 0;
}
static int refused(const char *name, long *description, void **thread) {
    return name && description && thread ? 5 : 0;
}
static int filled(void *port, void *frame) {
    struct { int type; void *sound; size_t octets; } *f = frame;
    memset(f->sound, 1, f->octets);
    ++*(unsigned long *)port;
    return 0;
}
int main(void) {
    static ticker clocks[40];
    static unsigned long frames[40];
    for (int i = 0; i < 40; i++)
        if (ticker_start(&clocks[i], i % 4 ? taken : refused, filled, &frames[i], TICKER_SAMPLES, 1000000)) return 1;
    for (int i = 0; i < 100; i++) {
        usleep(1000);
        for (int n = 0; n < 40; n++)
            if (atomic_load(&clocks[n].variation_ns) && atomic_load(&clocks[n].error)) return 2;
    }
    unsigned long total = 0;
    for (int i = 0; i < 40; i++) {
        ticker_stop(&clocks[i]);
        ticker_stop(&clocks[i]);
        if (i % 4 == 0 && (frames[i] || atomic_load(&clocks[i].error) != 5)) return 3;
        total += frames[i];
    }
    printf("%lu\n", total);
    return total > 30 ? 0 : 4;
}
"""


@pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
def test_no_race_and_no_octet_out_of_place(tmp_path, sanitizer):
    compiler = shutil.which("clang") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler is installed")
    (tmp_path / "main.c").write_text(PROGRAM)
    flags = ["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", f"-fsanitize={sanitizer}", "-pthread"]
    command = [
        "cc",
        *flags,
        "-fno-sanitize-recover=all",
        f"-I{SOURCES}",
        "main.c",
        str(SOURCES / "ticker.c"),
        "-o",
        "main",
    ]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    done = subprocess.run(["./main"], cwd=tmp_path, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
