"""The C part of the SIP client: `native` is `probes.sip._wire`, or one line that says how to build it."""

from sereno.errors import UsageError

try:
    from probes.sip import _wire as native
except ImportError as _error:  # a checkout that was not built
    raise UsageError(f"the SIP client is not built ({_error}): run python setup.py build_ext --inplace") from None

__all__ = ["native"]
