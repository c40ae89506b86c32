"""What probes keep of a check that was not well, as it lies in `results.body`: SIP messages, packets, captures. Pure.

Read by forensics on the command line and by pages and reports alike.
"""

from sereno.evidence.media import COLUMNS, Second, capture, seconds, starts
from sereno.evidence.sip import Message, detail, instant, left_out, messages

__all__ = ["COLUMNS", "Message", "Second", "capture", "detail", "instant", "left_out", "messages", "seconds", "starts"]
