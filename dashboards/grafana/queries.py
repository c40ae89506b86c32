"""The pieces of PromQL that boards share.

Every selector names `$job` and `$instance`, so that a board can be pointed at one collector; every result leaves them
out, so that a take-over from one collector to the other is no break.
"""

STALE_SECONDS = 30  # a collector that was not scraped for so long says nothing any more (alarm monitor_blind)
RATE = "[$__rate_interval]"
RANGE = "[$__range]"
WHOLE = "[$__range] @ end()"  # at every step of a series the same: the range that is shown
FILL = "[15m]"  # how long a timeline goes on saying unknown after the last word; the range itself would cost too much
FEW = 24  # rows of a timeline that can be read
MOST_LINES = 20
RANKS = {"up": 0, "maintenance": 1, "degraded": 2, "unknown": 3, "down": 4}  # sorted by it the worst comes first
PATH = 'element=~"$sbc/$core"'
AT = 'sbc=~"$sbc",core=~"$core"'


def pick(metric: str, *matchers: str) -> str:
    """A selector of one of our metrics."""
    asked = ",".join(('job=~"$job"', 'instance=~"$instance"', *(one for one in matchers if one)))
    return f"{metric}{{{asked}}}"


def watching() -> str:
    """1 while a collector that leads is scraped, else 0.

    Prometheus goes on showing a last value for five minutes where it was told of no end: its own age is asked here.
    """
    leader = pick("sereno_collector_leader")
    return f"max({leader} * ((time() - timestamp({leader})) < bool {STALE_SECONDS})) or vector(0)"


def fresh(metric: str) -> str:
    """What each collector said of itself at a scrape of the last half minute."""
    return f"{pick(metric)} and (time() - timestamp({pick(metric)}) < {STALE_SECONDS})"


def while_watched(expression: str) -> str:
    """The same, and nothing at all where no collector leads: an old value is no value."""
    return f"({expression}) and on () (({watching()}) == 1)"


def verdicts(kind: str, name: str, *matchers: str) -> str:
    """1 for each element of such kinds that is in a state, 0 for the others."""
    return pick("sereno_verdict_state", f'kind=~"{kind}"', f'state="{name}"', *matchers)


def state(kind: str, *matchers: str, window: str = RANGE, by: str = "element", among: str = "") -> str:
    """One rank per element of a kind (RANKS); unknown for what was there within the window and nobody tells of now.

    `among`: only elements of that set. They are sorted out before anything is computed of them.
    """
    only = f" and on ({by}) ({among})" if among else ""

    def being(name: str) -> str:
        return f"({verdicts(kind, name, *matchers)} == 1{only if name == 'up' else ''}) * {RANKS[name]}"

    judged = f"max by ({by}) ({' or '.join(being(name) for name in RANKS)})"
    known = f"last_over_time({verdicts(kind, 'unknown', *matchers)}{window}){only}"
    return f"({while_watched(judged)}) or (max by ({by}) ({known}) * 0 + {RANKS['unknown']})"


def timeline(kind: str, *matchers: str, by: str = "element") -> str:
    """States over time: of every element where they are few, else of those that were not up all the time."""
    unknown = f"{verdicts(kind, 'unknown', *matchers)}{WHOLE}"
    ailing = pick("sereno_verdict_state", f'kind=~"{kind}"', 'state=~"degraded|down|maintenance"', *matchers)
    bad = f"max by ({by}) (max_over_time({ailing}{WHOLE})) == 1 or max by ({by}) (avg_over_time({unknown})) > 0.1"
    every = f"max by ({by}) (last_over_time({unknown}))"
    few = f"{every} and on () (count({every}) <= {FEW})"
    return state(kind, *matchers, window=FILL, by=by, among=f"({bad}) or ({few})")


def worst(expression: str, rank: str, *, by: str, least: bool = False, count: int = MOST_LINES) -> str:
    """A series for each of the worst alone, ranked over the range that is shown: four hundred lines say nothing."""
    return f"({expression}) and on ({by}) {'bottomk' if least else 'topk'}({count}, {rank})"


def in_state(kind: str, name: str, *matchers: str) -> str:
    """How many elements of a kind are in a state."""
    return while_watched(f"sum(max by (element) ({verdicts(kind, name, *matchers)}))")


def newest(metric: str, *matchers: str, by: str, least: bool = False) -> str:
    """A gauge as it is now; nothing where no collector leads."""
    return while_watched(f"{'min' if least else 'max'} by ({by}) ({pick(metric, *matchers)})")


def increase(metric: str, *matchers: str, by: str, window: str = RANGE) -> str:
    return f"sum by ({by}) (increase({pick(metric, *matchers)}{window}))"


def rate(metric: str, *matchers: str, by: str) -> str:
    return f"sum by ({by}) (rate({pick(metric, *matchers)}{RATE}))"


def quantile(share: float, metric: str, *matchers: str, by: str, window: str | None = None) -> str:
    """Of a histogram: over the step, or over a window."""
    buckets = pick(f"{metric}_bucket", *matchers)
    counted = f"increase({buckets}{window})" if window is not None else f"rate({buckets}{RATE})"
    return f"histogram_quantile({share}, sum by (le, {by}) ({counted})) >= 0"  # of nothing it is NaN: leave that out


def ratio(part: str, whole: str) -> str:
    """Zero where there is a whole and no part; nothing where there is no whole: that is neither good nor bad."""
    return f"(({part}) or ({whole}) * 0) / (({whole}) > 0)"


def failed_ratio(*matchers: str, by: str, window: str | None = None) -> str:
    """Failed results among the valid ones."""

    def counted(outcome: str) -> str:
        if window is None:
            return rate("sereno_check_results_total", outcome, *matchers, by=by)
        return increase("sereno_check_results_total", outcome, *matchers, by=by, window=window)

    return ratio(counted('outcome="failed"'), counted('outcome!="invalid"'))


def age(metric: str, by: str) -> str:
    """Seconds since an instant that a metric names; it goes on growing when the collector is gone."""
    return f"time() - max by ({by}) (last_over_time({pick(metric)}{RANGE}))"


def collectors(metric: str) -> str:
    """A series of Prometheus' own, such as `up`, of those targets alone that were Sereno's within the range."""
    ours = f"count by (job, instance) (last_over_time({pick('sereno_collector_leader')}{RANGE}))"
    return f"max by (instance) ({pick(metric)} and on (job, instance) {ours})"
