"""One stream as a NumPy row: the layout of `stream_row` in csrc/kernel.h, shared by the C meter and the reference.

Counters are of packets; jitter is in seconds and NaN while unknown; instants are nanoseconds since the epoch.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

NO_PAYLOAD_TYPE = 255

STREAM_DTYPE = np.dtype(
    [
        ("id", "u8"),
        ("src", "V16"),  # IPv4 is mapped (::ffff:a.b.c.d)
        ("dst", "V16"),
        ("src_port", "u2"),
        ("dst_port", "u2"),
        ("ssrc", "u4"),
        ("clock_rate", "u4"),  # 0: unknown
        ("profile", "u4"),  # which announcement named the payload type; 0: RFC 3551
        ("packets", "u8"),
        ("bytes", "u8"),  # RTP header and payload, without UDP
        ("expected", "u8"),
        ("lost", "u8"),  # expected - distinct received
        ("lost_rfc3550", "i8"),  # A.3: expected - received, duplicates included
        ("duplicates", "u8"),
        ("reordered", "u8"),
        ("strays", "u8"),  # far from every other sequence number, alone: in no other figure
        ("events", "u8"),  # RFC 4733
        ("comfort_noise", "u8"),  # RFC 3389
        ("markers", "u8"),
        ("loss_runs", "u8"),
        ("loss_run_max", "u8"),
        ("bursts", "u8"),  # RFC 3611, Gmin 16
        ("burst_packets", "u8"),
        ("burst_lost", "u8"),
        ("jitter_samples", "u8"),
        ("jitter", "f8"),
        ("jitter_mean", "f8"),
        ("jitter_max", "f8"),
        ("start_ns", "i8"),
        ("end_ns", "i8"),
        ("largest_gap_ns", "i8"),
        ("restarts", "u4"),
        ("payload_type_changes", "u4"),
        ("payload_type", "u1"),
        ("_", "V7"),
    ]
)

StreamRows: TypeAlias = NDArray[np.void]
