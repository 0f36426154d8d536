"""Metric names out of PromQL, with and without template variables."""

import subprocess
import sys

import pytest

from plugins.promql import MAX_CHARACTERS, MAX_NESTING, read

VALUES = {"metric": ["a_total", "b_total"], "function": ["sum"], "k": ["5"], "kind": ["reads", "writes"],
          "query": ['sum(rate(c_total{a="b"}[5m])) by (c)', "1"], "other": ["d:rate5m{x='y'}"]}  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "metrics"),
    [
        (
            'sum(rate(http_requests_total{code=~"5.."}[5m])) by (job) / on(a) group_left(b) up > 2',
            "http_requests_total up",
        ),
        ("max_over_time((sum(x))[1h:5m]) or vector(0)", "x"),
        ("job:errors:ratio5m offset 1d @ end()", "job:errors:ratio5m"),
        ('{__name__="c", q="1"}', "c"),
        ('{__name__=~"a|b"}', "a b"),
        ('{__name__=~"a.*"}', ""),
        ('{"quoted.name", a="b"}', "quoted.name"),
        (
            '{__name__=~"disk_(reads|writes)_(?:total|sum)"}',
            "disk_reads_sum disk_reads_total disk_writes_sum disk_writes_total",
        ),
        ('{__name__=~"disk_(reads|writes)_.*"}', ""),
        ('{job="x"}', ""),
        ('x{a="y # no comment"} # z', "x"),
        ("1 + 1", ""),
        ("sum(rate(p_ratio[{{.window}}]))", "p_ratio"),
        ("sum(rate(x[{{ .window }}:]))", "x"),
        ("rate(x[$__rate_interval]) * $__interval_ms / 1000", "x"),
        ("max_over_time(x[${i}:$step] offset $o)", "x"),
        ("rate(x[[[window]]])", "x"),
        ('sum by ($group) (x{a=~"$b",c="${d:regex}",e="[[f]]"}) > $threshold', "x"),
        ("rate($metric[5m])", "a_total b_total"),
        ("${metric}_bucket / [[metric]]", "a_total a_total_bucket b_total b_total_bucket"),
        ('{__name__="shop_${kind}_total"}', "shop_reads_total shop_writes_total"),
        ("avg($nobody_knows)", ""),
        ("$query / $other", "c_total d:rate5m"),
        ("$function(rate(x[5m]))", "x"),
        ("topk($k, x)", "x"),
        ("quantile_over_time($unknown, x[5m])", "x"),
        ('label_replace(up, "a", "$1", "b", "(.*)")', "up"),
    ],
)
def test_metrics_are_found(expression, metrics):
    query = read(expression, VALUES)
    assert sorted(query.metrics) == metrics.split()
    assert query.parsed


@pytest.mark.parametrize(
    ("expression", "metrics"),
    [
        ("range_median(foo{a='b'}[5m]) by (c)", "foo"),
        ("rate(x) keep_metric_names", "x"),
        ("sum(x) by (l1, l2) default 0 if y", "x y"),
        ("foo bar[", "bar foo"),
        ("", ""),
        ('x + "unclosed y', "x"),
    ],
)
def test_what_is_no_promql_is_read_word_by_word(expression, metrics):
    query = read(expression, VALUES)
    assert sorted(query.metrics) == metrics.split()
    assert not query.parsed


def test_labels_matched_by_equality_are_kept():
    query = read('latency_bucket{le="0.4", job=~"a|b", code!="5"}')
    assert [(s.metric, dict(s.equals)) for s in query.selectors] == [("latency_bucket", {"le": "0.4"})]


@pytest.mark.parametrize(
    "expression",
    [
        "'-' * 9000 + 'x'",
        "'+'.join(['x'] * 4500)",
        "'(' * 4000 + 'x' + ')' * 4000",
        "'x^' * 4500 + 'x'",
        "'x unless ' * 1000 + 'x'",
        "'sum(' * 2000 + 'x' + ')' * 2000",
        "'x' * 1_000_000",
        "'x[5m:' * 2000",
        "'{' * 9000",
        "'${' * 5000",
        "'[[' * 5000",
        "'\"' * 9999",
        "'by (' * 3000",
        "'{{' + 'a' * 9900",
        "'${' + 'a' * 9900",
        "'[[' + 'a' * 9900",
        "'[[a' * 3300",
        "'\\\\\"' * 4900",
    ],
)
def test_no_expression_ends_the_process(expression):
    """In a process of its own: the parser recurses on the machine's stack, and its overflow cannot be caught."""
    code = f"from plugins.promql import read; read({expression})"
    assert subprocess.run([sys.executable, "-c", code], timeout=5, check=False).returncode == 0


def test_the_limits_leave_room_for_real_queries():
    query = read(" + ".join(["x"] * (MAX_NESTING // 2)))
    assert query.parsed
    assert MAX_CHARACTERS >= 10_000
