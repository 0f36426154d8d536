"""The simulation's PromQL against a real Prometheus, on the same samples."""

import json
import math
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.simulated.promql.engine import Engine
from examples.simulated.promql.values import LOOKBACK_SECONDS, QueryError, Series, Window, format_value, window_of
from tests.prometheus_server import prometheus
from tests.prometheus_server import series as openmetrics

STEP = 60
END = 1_790_000_063
"""Past, and no multiple of the step: no range below ends just at a sample, where versions of Prometheus differ."""
START = END - 2 * 86_400
NOW = END + 17


@dataclass
class Listed(Series):
    """A series with its samples at hand, some of them missing."""

    labels: dict[str, str]
    points: list[tuple[float, float]]

    def at(self, time):
        found = [value for at, value in self.points if time - LOOKBACK_SECONDS < at <= time]
        return found[-1] if found else None

    def window(self, start, end) -> Window | None:
        inside = [(at, value) for at, value in self.points if start < at <= end]
        return window_of([at for at, _ in inside], [value for _, value in inside])


class Samples:
    """A storage over listed series."""

    def __init__(self, series):
        self.series = series

    def named(self, metric):
        return [one for one in self.series if metric in (None, one.labels["__name__"])]

    def settled(self, time):
        return time <= END


def _samples() -> Iterator[Listed]:
    times = range(START, END + 1, STEP)

    def listed(name, labels, value, keep=lambda index: True):
        points = [(float(at), value(index)) for index, at in enumerate(times) if keep(index)]
        return Listed({"__name__": name, **labels}, points)

    for number, service in enumerate(("shakespeare", "globe", "sonnet")):
        for code, rate in (("200", 5.0 + number), ("503", 0.01 * (number + 1))):
            labels = {"service": service, "code": code, "job": f"job-{number}"}
            yield listed("requests_total", labels, lambda i, rate=rate: math.floor(rate * i * (1 + 0.2 * math.sin(i))))
        for bound, share in (("0.1", 0.6), ("0.5", 0.95), ("1", 0.99), ("+Inf", 1.0)):
            labels = {"service": service, "le": bound}
            yield listed("seconds_bucket", labels, lambda i, share=share, n=number: float(int(i * (10 + n) * share)))
        yield listed("objective", {"service": service}, lambda i, n=number: 0.99 + n / 1000)
        yield listed(
            "temperature", {"service": service, "zone": "ab"[number % 2]}, lambda i, n=number: math.sin(i / 90 + n) * 5
        )
        yield listed("free_bytes", {"service": service}, lambda i, n=number: 1e12 - i * 1e6 * (n + 1))
    yield listed("restarted_total", {"service": "globe"}, lambda i: float(i % 400))
    yield listed("gappy", {"service": "globe"}, lambda i: float(i), lambda i: i % 17 < 9)
    yield listed("steps", {"service": "globe"}, lambda i: float(i // 100))
    yield listed("ended", {"service": "globe"}, lambda i: 1.0, lambda i: i < 1000)
    yield listed("info", {"service": "globe", "team": "crew"}, lambda i: 1.0)
    yield listed("info", {"service": "sonnet", "team": "scribes"}, lambda i: 1.0)


QUERIES = """
requests_total
requests_total{service="globe"}
requests_total{service!="globe",code="200"}
requests_total{service=~"glo.*|sonnet",code!~"5.."}
requests_total{code=~"5"}
requests_total{absent=""}
{__name__=~"obj.*"}
requests_total offset 1h
requests_total[5m]
temperature @ 1789950000
sum(requests_total)
sum by (service) (requests_total)
sum by (service, nothing) (rate(requests_total[5m]))
sum without (code, job) (rate(requests_total[5m]))
min by (zone) (temperature)
max without (service) (temperature)
avg(temperature)
count by (zone) (temperature)
group by (zone) (temperature)
quantile(0.3, temperature)
quantile by (zone) (1, temperature)
topk(2, temperature)
bottomk by (zone) (1, temperature)
rate(requests_total[5m])
rate(requests_total[1h] offset 3h)
increase(requests_total[1d])
increase(restarted_total[1d])
rate(restarted_total[7m])
irate(restarted_total[10m])
rate(gappy[2h])
increase(gappy[40m])
increase(ended[2d])
delta(temperature[3h])
changes(steps[1d])
changes(temperature[1h])
resets(restarted_total[2d])
sum_over_time(temperature[6h])
avg_over_time(temperature[6h])
min_over_time(temperature[6h])
max_over_time(temperature[6h])
count_over_time(gappy[6h])
last_over_time(ended[2d])
present_over_time(ended[2d])
stddev_over_time(temperature[6h])
quantile_over_time(0.95, temperature[1d])
quantile_over_time(0, temperature[1d])
deriv(free_bytes[6h])
deriv(objective[6h])
predict_linear(free_bytes[6h], 86400)
predict_linear(free_bytes[6h] offset 1h, 3600)
histogram_quantile(0.5, rate(seconds_bucket[1h]))
histogram_quantile(0.99, sum by (le) (rate(seconds_bucket[1h])))
histogram_quantile(0.999, seconds_bucket)
histogram_quantile(0.2, seconds_bucket)
histogram_quantile(1.5, seconds_bucket)
clamp(temperature, -1, 1)
clamp_min(temperature, 0)
clamp_max(temperature, 0)
abs(temperature)
round(temperature)
round(temperature, 0.25)
floor(temperature) + ceil(temperature)
sqrt(temperature)
ln(objective)
exp(objective)
sgn(temperature)
vector(3)
scalar(sum(requests_total))
scalar(requests_total)
time()
1 + 2 * 3 ^ 2 % 4
-temperature
-(1 + 1)
1 / 0
-1 / 0
0 / 0
temperature / 0
3 > bool 2
objective * 100
1 - objective
temperature > 0
0 < temperature
temperature > bool 0
temperature == 3
sum by (service) (requests_total) / count by (service) (requests_total)
requests_total / on (service) group_left sum by (service) (requests_total)
requests_total * on (service) group_left (team) info
info * on (service) group_right (team) requests_total
sum by (service) (requests_total{code="503"}) / ignoring (code) sum by (service) (requests_total)
requests_total{code="503"} / ignoring (code) requests_total{code="200"}
requests_total{code="503"} > ignoring (code) requests_total{code="200"} * 0.0000001
objective > on (service) info
objective and on (service) info
objective unless on (service) info
info or objective
temperature and objective
objective or on (service) info
0 * sum by (service) (objective) or sum by (service) (info)
label_replace(info, "who", "$1-$2", "team", "(cr)(.*)")
label_replace(info, "team", "", "team", ".*")
label_replace(info, "who", "${1}", "team", "nothing(.*)")
label_join(info, "both", "/", "service", "team")
absent(info)
absent(nothing{service="globe", team=~"x"})
sort(objective)
sort_desc(objective)
max_over_time(sum by (service) (rate(requests_total[10m]))[6h:10m])
quantile_over_time(0.95, (sum by (service) (rate(requests_total[10m])) / 10)[12h:7m] offset 30m)
sum_over_time((temperature > 0)[2h:5m])
increase(sum by (service) (requests_total)[3h:2m])
max by (service) (max_over_time(temperature[1h])) - min by (service) (min_over_time(temperature[1h]))
(max(objective > (14.4 * 0.01)) without (zone) and max(objective > 0.5) without (zone)) or max(info) without (team)
""".strip().splitlines()

BROKEN = ("sum(", "rate(requests_total)", "nonsense(requests_total)", 'requests_total{code="', "{}", '1 + "a"')
AMBIGUOUS = (
    "requests_total / on (service) objective",
    "objective / on (service) requests_total",
    'rate({service="globe"}[5m])',
)
OUTSIDE = ('count_values("v", objective)', "day_of_week()", "hour()", "stddev(objective)")


@pytest.fixture(scope="module")
def samples():
    return list(_samples())


@pytest.fixture(scope="module")
def engine(samples):
    return Engine(Samples(samples))


@pytest.fixture(scope="module")
def real(samples):
    """A real Prometheus with the same samples."""
    lines = []
    for one in samples:
        labels = {name: value for name, value in one.labels.items() if name != "__name__"}
        values = dict(one.points)
        written = openmetrics(one.labels["__name__"], labels, [int(at) for at in values], values.__getitem__)
        lines.append((one.labels["__name__"], list(written)))
    lines.sort(key=lambda pair: pair[0])  # OpenMetrics wants the series of one metric together
    with prometheus(line for _, written in lines for line in written) as url:
        yield url


def _ask(url, path, **parameters):
    request = urllib.request.Request(f"{url}/api/v1/{path}", urllib.parse.urlencode(parameters).encode())
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


def _comparable(result):
    """Return the real answer as a mapping from labels to points."""
    kind, rows = result["resultType"], result["result"]
    if kind == "scalar":
        return {(): [(rows[0], float(rows[1]))]}
    return {
        tuple(sorted(row["metric"].items())): [(at, float(value)) for at, value in row.get("values") or [row["value"]]]
        for row in rows
    }


def _simulated(value, time):
    if isinstance(value, float):
        return {(): [(time, value)]}
    found = {}
    for member in value:
        points = list(zip(*member.window.samples, strict=True)) if hasattr(member, "window") else [(time, member.value)]
        found[tuple(sorted(member.labels.items()))] = points
    return found


def _assert_same(simulated, expected):
    assert simulated.keys() == expected.keys()
    for labels, points in expected.items():
        assert [at for at, _ in simulated[labels]] == pytest.approx([at for at, _ in points])
        values = [value for _, value in simulated[labels]]
        # The samples went through ten digits of text.
        assert values == pytest.approx([value for _, value in points], rel=1e-6, abs=1e-7, nan_ok=True)


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_gives_what_a_real_prometheus_gives(query, engine, real):
    answer = _ask(real, "query", query=query, time=NOW)

    assert answer["status"] == "success", answer
    _assert_same(_simulated(engine.instant(engine.parse(query), float(NOW)), NOW), _comparable(answer["data"]))


@pytest.mark.parametrize(
    "query",
    [
        "sum by (service) (rate(requests_total[5m]))",
        "ended",
        "gappy > 100",
        "temperature @ end()",
        "max_over_time(temperature[1h:5m])",
        "1",
    ],
)
def test_a_query_over_a_range_gives_what_a_real_prometheus_gives(query, engine, real):
    start, end, step = NOW - 40 * 3600, NOW, 600
    answer = _ask(real, "query_range", query=query, start=start, end=end, step=step)
    result = engine.over_range(engine.parse(query), float(start), float(end), float(step))

    _assert_same({tuple(sorted(labels.items())): points for labels, points in result}, _comparable(answer["data"]))


@pytest.mark.parametrize("query", BROKEN)
def test_what_prometheus_cannot_read_is_bad_data_here_too(query, engine, real):
    assert _ask(real, "query", query=query, time=NOW)["errorType"] == "bad_data"
    with pytest.raises(QueryError) as refused:
        engine.instant(engine.parse(query), float(NOW))
    assert refused.value.error_type == "bad_data"


@pytest.mark.parametrize("query", AMBIGUOUS)
def test_what_prometheus_finds_ambiguous_is_an_execution_error_here_too(query, engine, real):
    assert _ask(real, "query", query=query, time=NOW)["errorType"] == "execution"
    with pytest.raises(QueryError) as refused:
        engine.instant(engine.parse(query), float(NOW))
    assert refused.value.error_type == "execution"


@pytest.mark.parametrize("query", OUTSIDE)
def test_what_lies_outside_the_subset_is_refused_and_no_number_is_made_up(query, engine):
    with pytest.raises(QueryError, match="this simulated Prometheus does not evaluate"):
        engine.instant(engine.parse(query), float(NOW))


def test_subquery_steps_are_kept_but_not_those_that_lie_ahead(samples):
    engine = Engine(Samples(samples))
    engine.instant(engine.parse("max_over_time(objective[10m:1m])"), END + 180.0)

    kept = {time for _, time in engine._steps}
    assert END - 60 < max(kept) <= END
    assert all(later - earlier == 60 for earlier, later in pairwise(sorted(kept)))


@given(st.floats())
def test_a_value_is_written_so_that_it_reads_the_same(value):
    text = format_value(value)

    assert "e" not in text.lower().replace("inf", "")
    assert float(text) == value or (math.isnan(value) and text == "NaN")
