"""The C meter as it was built: `native` is `probes.media._meter`, or one line that says how to build it."""

from probes.media.errors import CaptureError

try:
    from probes.media import _meter as native
except ImportError as _error:  # a checkout that was not built
    raise CaptureError(f"the C meter is not built ({_error}): run python setup.py build_ext --inplace") from None

__all__ = ["native"]
