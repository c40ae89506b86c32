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
        ("timestamp_jumps", "u4"),
        ("dscp_changes", "u4"),
        ("step", "u4"),  # timestamp units from packet to packet, the most common; 0: unknown
        ("payload_type", "u1"),
        ("dscp", "u1"),  # RFC 2474, of the last packet
        ("buffer", "u1"),  # whose discards are in impaired_runs: 0 nobody's, 1 the fixed, 2 the adaptive one
        ("_", "V1"),
        ("dscp_seen", "u8"),  # bit mask
        ("echoes", "u8"),  # duplicates within 5 ms of the same packet
        ("pdv_p50", "f8"),  # RFC 5481 section 4.2, seconds
        ("pdv_p95", "f8"),
        ("pdv_p99", "f8"),
        ("pdv_max", "f8"),
        ("drift_ppm", "f8"),
        ("fixed_late", "u8"),  # RFC 7002: discarded by the simulated de-jitter buffers
        ("fixed_early", "u8"),
        ("adaptive_late", "u8"),
        ("adaptive_early", "u8"),
        ("adaptive_delay", "f8"),  # mean
        ("impaired_runs", "u8"),  # runs of sequence numbers lost or discarded
    ]
)

# One second of a stream, counted from its start.
SECOND_DTYPE = np.dtype(
    [
        ("second", "u4"),
        ("packets", "u4"),
        ("lost", "u4"),
        ("discarded", "u4"),
        ("jitter_mean", "f4"),
        ("jitter_max", "f4"),
        ("pdv_max", "f4"),
        ("flags", "u4"),  # 1: touched by an RFC 3611 burst
    ]
)

StreamRows: TypeAlias = NDArray[np.void]
SecondRows: TypeAlias = NDArray[np.void]
