"""The signal of test calls; known on both sides, so that what comes back can be recognised."""

TONE_HZ = 1004  # the telephone network's test tone: no divisor of 8 kHz, so every code is used
BURST_MS, GAP_MS = 900, 200  # a period longer than any echo, and no multiple of the looks at the level
