"""Turns a parsed expression into a function of the moment: whatever does not change between moments is done once."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import promql_parser as syntax

from examples.simulated.promql import functions, operators
from examples.simulated.promql.aggregations import Aggregation
from examples.simulated.promql.memory import Distinct, OfLabels
from examples.simulated.promql.values import (
    METRIC_NAME,
    Labels,
    RangeSeries,
    Sample,
    Series,
    Vector,
    not_evaluated,
    signature,
    window_of,
    without_name,
)
from examples.simulated.promql.windows import KEEP_NAME, WINDOW_FUNCTIONS, Span

DEFAULT_SUBQUERY_STEP_SECONDS = 60.0


@dataclass(frozen=True)
class Moment:
    """When an expression is evaluated, and the range of the query (for `@ start()` and `@ end()`), Unix seconds."""

    time: float
    query_start: float
    query_end: float


Value = Vector | float | str
Evaluate = Callable[[Moment], Value]
EvaluateRange = Callable[[Moment], tuple[list[RangeSeries], Span]]
StepVector = Callable[[str, Evaluate, float], Vector]
"""Gives a subquery's inner vector at a time, by the text of the inner expression."""


class Storage(Protocol):
    """Where series come from."""

    def named(self, metric: str | None) -> Iterable[Series]:
        """Return the series of a metric, or all. They are the same at every call."""

    def settled(self, time: float) -> bool:
        """Say whether a moment (Unix seconds) is past, so that what is known of it does not change any more."""


def is_range(expression: Any) -> bool:
    """Say whether an expression is a range vector."""
    while isinstance(expression, syntax.ParenExpr):
        expression = expression.expr
    return isinstance(expression, syntax.MatrixSelector | syntax.SubqueryExpr)


class Compiler:
    """Compiles the expressions of one query. Equal parts of a query become one function, evaluated once a moment."""

    def __init__(self, storage: Storage, step_vector: StepVector) -> None:
        self.storage = storage
        self.step_vector = step_vector
        self._compiled: dict[str, Evaluate] = {}

    def expression(self, expression: Any) -> Evaluate:
        """Compile any expression but a range vector. Raises QueryError on what lies outside the subset."""
        text = str(expression)
        if text not in self._compiled:
            compile_one = _COMPILERS.get(type(expression))
            if compile_one is None:
                raise not_evaluated(f"a {type(expression).__name__} here")
            self._compiled[text] = _once_a_moment(compile_one(self, expression))
        return self._compiled[text]

    def vector(self, expression: Any) -> Callable[[Moment], Vector]:
        """Compile an expression that must give an instant vector."""
        evaluate = self.expression(expression)

        def vector(moment: Moment) -> Vector:
            value = evaluate(moment)
            if not isinstance(value, list):
                raise not_evaluated("a scalar where a vector belongs")
            return value

        return vector

    def number(self, expression: Any) -> Callable[[Moment], float]:
        """Compile an expression that must give a scalar."""
        evaluate = self.expression(expression)

        def number(moment: Moment) -> float:
            value = evaluate(moment)
            if not isinstance(value, float):
                raise not_evaluated("a vector where a scalar belongs")
            return value

        return number

    def series(self, selector: Any) -> list[Series]:
        """Return the series that a selector names."""
        if selector.matchers.or_matchers:
            raise not_evaluated("`or` between label matchers")
        tests = [(matcher.name, _test(matcher)) for matcher in selector.matchers.matchers]
        found = self.storage.named(selector.name)
        return [one for one in found if all(test(one.labels.get(name, "")) for name, test in tests)]

    def range_vector(self, expression: Any) -> EvaluateRange:
        """Compile a range vector."""
        while isinstance(expression, syntax.ParenExpr):
            expression = expression.expr
        if isinstance(expression, syntax.SubqueryExpr):
            return self._subquery(expression)
        members, moment_of = self.series(expression.vector_selector), _moment_of(expression.vector_selector)
        seconds = expression.range.total_seconds()

        def evaluate(moment: Moment) -> tuple[list[RangeSeries], Span]:
            end = moment_of(moment)
            windows = ((one.labels, one.window(end - seconds, end)) for one in members)
            found = [RangeSeries(labels, window) for labels, window in windows if window]
            return found, Span(end - seconds, end, moment.time)

        return evaluate

    def _subquery(self, expression: Any) -> EvaluateRange:
        step = expression.step.total_seconds() if expression.step else DEFAULT_SUBQUERY_STEP_SECONDS
        seconds, moment_of = expression.range.total_seconds(), _moment_of(expression)
        inner, text = self.expression(expression.expr), str(expression.expr)
        identity = OfLabels(signature)

        def evaluate(moment: Moment) -> tuple[list[RangeSeries], Span]:
            end = moment_of(moment)
            points: dict[Any, tuple[Labels, list[float], list[float]]] = {}
            for index in range(math.floor((end - seconds) / step) + 1, math.floor(end / step) + 1):
                for sample in self.step_vector(text, inner, index * step):
                    key = identity(sample.labels)
                    _, times, values = points.setdefault(key, (sample.labels, [], []))
                    times.append(index * step)
                    values.append(sample.value)
            windows = ((labels, window_of(times, values)) for labels, times, values in points.values())
            found = [RangeSeries(labels, window) for labels, window in windows if window]
            return found, Span(end - seconds, end, moment.time)

        return evaluate


def _once_a_moment(evaluate: Evaluate) -> Evaluate:
    """Remember the last moment's value: an equal part elsewhere in the query asks for it next."""
    last: tuple[Moment, Value] | None = None

    def remembering(moment: Moment) -> Value:
        nonlocal last
        if last is None or last[0] is not moment:
            last = moment, evaluate(moment)
        return last[1]

    return remembering


def _moment_of(selector: Any) -> Callable[[Moment], float]:
    """Return the time that a selector looks at, after its `@` and `offset`."""
    offset = selector.offset.total_seconds() if selector.offset is not None else 0.0
    at = selector.at
    if at is None:
        return lambda moment: moment.time - offset
    if at.type == syntax.AtModifierType.Start:
        return lambda moment: moment.query_start - offset
    if at.type == syntax.AtModifierType.End:
        return lambda moment: moment.query_end - offset
    fixed = float(at.at.timestamp()) - offset
    return lambda moment: fixed


def _test(matcher: Any) -> Callable[[str], bool]:
    """Return the test of a label matcher; regular expressions are anchored on both sides."""
    wanted = matcher.value
    if matcher.op == syntax.MatchOp.Equal:
        return lambda value: value == wanted
    if matcher.op == syntax.MatchOp.NotEqual:
        return lambda value: value != wanted
    try:
        pattern = re.compile(wanted, re.DOTALL)
    except re.error as error:
        raise not_evaluated(f"the regular expression {wanted!r}") from error
    if matcher.op == syntax.MatchOp.Re:
        return lambda value: pattern.fullmatch(value) is not None
    return lambda value: pattern.fullmatch(value) is None


def _literal(_: Compiler, expression: Any) -> Evaluate:
    value: Value = expression.val
    return lambda moment: value


def _inner(compiler: Compiler, expression: Any) -> Evaluate:
    return compiler.expression(expression.expr)


def _select(compiler: Compiler, expression: Any) -> Evaluate:
    members, moment_of = compiler.series(expression), _moment_of(expression)

    def evaluate(moment: Moment) -> Vector:
        time = moment_of(moment)
        values = ((one.labels, one.at(time)) for one in members)
        return [Sample(labels, value) for labels, value in values if value is not None]

    return evaluate


def _negate(compiler: Compiler, expression: Any) -> Evaluate:
    inner, negate = compiler.expression(expression.expr), functions.MapValues(lambda value, _: -value)

    def evaluate(moment: Moment) -> Value:
        value = inner(moment)
        return negate(value, ()) if isinstance(value, list) else -float(value)

    return evaluate


def _aggregate(compiler: Compiler, expression: Any) -> Evaluate:
    aggregation = Aggregation(str(expression.op), expression.modifier)
    inner = compiler.vector(expression.expr)
    parameter = compiler.number(expression.param) if expression.param is not None else None
    return lambda moment: aggregation(inner(moment), parameter(moment) if parameter else None)


def _binary(compiler: Compiler, expression: Any) -> Evaluate:
    name = str(expression.op)
    if name not in {*operators.ARITHMETIC, *operators.COMPARISON, *operators.SET_OPERATORS}:
        raise not_evaluated(f"the operator {name}")
    left_side, right_side = compiler.expression(expression.lhs), compiler.expression(expression.rhs)
    matching = operators.matching_of(expression.modifier)
    of_vectors = operators.VectorVector(name, matching)
    with_number = operators.VectorScalar(name, swapped=False, return_bool=matching.return_bool)
    with_vector = operators.VectorScalar(name, swapped=True, return_bool=matching.return_bool)

    def evaluate(moment: Moment) -> Value:
        left, right = left_side(moment), right_side(moment)
        if isinstance(left, list):
            return of_vectors(left, right) if isinstance(right, list) else with_number(left, float(right))
        if isinstance(right, list):
            return with_vector(right, float(left))
        return operators.scalar_operation(name, float(left), float(right))

    return evaluate


def _call(compiler: Compiler, expression: Any) -> Evaluate:
    name, arguments = expression.func.name, expression.args
    if name in WINDOW_FUNCTIONS:
        return _window_call(compiler, name, arguments)
    if name in functions.MATH_FUNCTIONS:
        mapped, inner = functions.MapValues(functions.MATH_FUNCTIONS[name]), compiler.vector(arguments[0])
        numbers = [compiler.number(argument) for argument in arguments[1:]]
        return lambda moment: mapped(inner(moment), [number(moment) for number in numbers])
    if name not in _SPECIAL:
        raise not_evaluated(f"the function {name}()")
    return _SPECIAL[name](compiler, arguments)


def _window_call(compiler: Compiler, name: str, arguments: Sequence[Any]) -> Evaluate:
    [over] = [compiler.range_vector(argument) for argument in arguments if is_range(argument)]
    numbers = [compiler.number(argument) for argument in arguments if not is_range(argument)]
    function, distinct = WINDOW_FUNCTIONS[name], Distinct()
    result_labels = OfLabels((lambda labels: labels) if name in KEEP_NAME else without_name)

    def evaluate(moment: Moment) -> Vector:
        members, span = over(moment)
        given = [number(moment) for number in numbers]
        values = ((member.labels, function(member.window, span, given)) for member in members)
        return distinct([Sample(result_labels(labels), value) for labels, value in values if value is not None])

    return evaluate


def _sort(compiler: Compiler, arguments: Sequence[Any], *, descending: bool) -> Evaluate:
    inner = compiler.vector(arguments[0])
    return lambda moment: sorted(inner(moment), key=lambda sample: sample.value, reverse=descending)


def _scalar(compiler: Compiler, arguments: Sequence[Any]) -> Evaluate:
    inner = compiler.vector(arguments[0])

    def evaluate(moment: Moment) -> float:
        vector = inner(moment)
        return vector[0].value if len(vector) == 1 else math.nan

    return evaluate


def _vector(compiler: Compiler, arguments: Sequence[Any]) -> Evaluate:
    number, labels = compiler.number(arguments[0]), Labels()
    return lambda moment: [Sample(labels, number(moment))]


def _absent(compiler: Compiler, arguments: Sequence[Any]) -> Evaluate:
    inner, labels = compiler.vector(arguments[0]), Labels()
    if isinstance(arguments[0], syntax.VectorSelector):
        matchers = arguments[0].matchers.matchers
        names = [matcher.name for matcher in matchers]
        equal = [m for m in matchers if m.op == syntax.MatchOp.Equal and names.count(m.name) == 1]
        labels = {matcher.name: matcher.value for matcher in equal if matcher.name != METRIC_NAME}
    return lambda moment: [] if inner(moment) else [Sample(labels, 1.0)]


def _histogram_quantile(compiler: Compiler, arguments: Sequence[Any]) -> Evaluate:
    number, inner = compiler.number(arguments[0]), compiler.vector(arguments[1])
    quantile = functions.HistogramQuantile()
    return lambda moment: quantile(number(moment), inner(moment))


def _label_replace(compiler: Compiler, arguments: Sequence[Any]) -> Evaluate:
    inner = compiler.vector(arguments[0])
    relabel = functions.label_replace(*(str(argument.val) for argument in arguments[1:]))
    return lambda moment: relabel(inner(moment))


def _label_join(compiler: Compiler, arguments: Sequence[Any]) -> Evaluate:
    inner = compiler.vector(arguments[0])
    relabel = functions.label_join(*(str(argument.val) for argument in arguments[1:]))
    return lambda moment: relabel(inner(moment))


_SPECIAL: dict[str, Callable[[Compiler, Sequence[Any]], Evaluate]] = {
    "time": lambda compiler, arguments: lambda moment: moment.time,
    "vector": _vector,
    "scalar": _scalar,
    "absent": _absent,
    "sort": lambda compiler, arguments: _sort(compiler, arguments, descending=False),
    "sort_desc": lambda compiler, arguments: _sort(compiler, arguments, descending=True),
    "histogram_quantile": _histogram_quantile,
    "label_replace": _label_replace,
    "label_join": _label_join,
}

_COMPILERS: dict[type, Callable[[Compiler, Any], Evaluate]] = {
    syntax.NumberLiteral: _literal,
    syntax.StringLiteral: _literal,
    syntax.ParenExpr: _inner,
    syntax.VectorSelector: _select,
    syntax.UnaryExpr: _negate,
    syntax.AggregateExpr: _aggregate,
    syntax.BinaryExpr: _binary,
    syntax.Call: _call,
}
