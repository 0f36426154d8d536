"""The best plan there is, found by the solver HiGHS (the extra `planner`). Pure: values in, choices out.

The problem is handed over in whole numbers, services in the order of their references, with one thread and a fixed
seed, so that the same input gives the same plan; what comes back is counted again here before it is believed.
"""

from dataclasses import dataclass
from typing import Any

from engagements.capacity.planner.assignment import Assignment
from engagements.capacity.planner.problem import Problem

INFINITE = float("inf")


class SolverMissing(Exception):
    """The solver is not installed; the message says how to install it."""


@dataclass(frozen=True)
class Solved:
    """A plan of the solver, and how far from the best it can be at most."""

    assignment: Assignment
    gap: float
    """(bound - found) / found; 0 means that no better plan exists."""
    proven: bool
    """Whether the search ended by itself rather than by its time."""


def solver_version() -> str | None:
    """Return the solver's version, None where it is not installed."""
    try:
        return str(_highspy().Highs().version())
    except SolverMissing:
        return None


def solve(problem: Problem, start: Assignment, seconds: float) -> Solved:
    """Return the best plan found in the given time, never worse than the feasible one it starts from.

    Raises SolverMissing where the solver is not installed.
    """
    columns = _Columns(problem)
    found, bound, proven = _search(problem, columns, start, seconds)
    if found is None or not found.feasible() or found.gain < start.gain:
        found = Assignment(problem, start.picks)
    gap = max(0.0, (bound - found.gain) / max(1.0, abs(found.gain))) if bound < INFINITE else INFINITE
    return Solved(found, 0.0 if proven or bound - found.gain < 1 else round(gap, 6), proven)


class _Columns:
    """The variables: one for each choice of each service, and one for each stack that a team might know."""

    def __init__(self, problem: Problem) -> None:
        self.picks = [(index, pick) for index, few in enumerate(problem.choices) for pick in range(len(few))]
        stacks = {choice.stack for few in problem.choices for choice in few if choice.stack}
        self.stacks = sorted(stacks)
        self.stack_column = {stack: len(self.picks) + place for place, stack in enumerate(self.stacks)}
        self.count = len(self.picks) + len(self.stacks)


Row = tuple[float, float, dict[int, float]]
"""Least, most, and the coefficient of each column."""


def _rows(problem: Problem, columns: _Columns) -> list[Row]:
    once: dict[int, dict[int, float]] = {}
    limits: dict[Any, dict[int, float]] = {}
    moves: dict[int, float] = {}
    rows: list[Row] = []
    for column, (index, pick) in enumerate(columns.picks):
        choice = problem.choices[index][pick]
        once.setdefault(index, {})[column] = 1.0
        for key, amount in choice.uses:
            limits.setdefault(key, {})[column] = float(amount)
        if choice.move:
            moves[column] = 1.0
        if choice.stack:
            rows.append((-INFINITE, 0.0, {column: 1.0, columns.stack_column[choice.stack]: -1.0}))
    known: dict[str, dict[int, float]] = {}
    for (team, _), column in ((stack, columns.stack_column[stack]) for stack in columns.stacks):
        known.setdefault(team, {})[column] = 1.0
    rows += [(1.0, 1.0, once[index]) for index in sorted(once)]
    rows += [(-INFINITE, float(problem.caps[key]), limits[key]) for key in sorted(limits)]
    rows += [(-INFINITE, float(problem.stack_caps[team]), known[team]) for team in sorted(known)]
    return [*rows, (-INFINITE, float(problem.moves_cap), moves)] if moves else rows


def _objective(problem: Problem, columns: _Columns) -> list[float]:
    """Return what each column gains; of equal plans the one that gives more to the first references is the better.

    The preference adds up to less than one hundredth of a point over all services, so that it never decides otherwise.
    """
    count = len(problem.choices)
    gains = []
    for index, pick in columns.picks:
        choice = problem.choices[index][pick]
        preference = 0.5 * (count - index) / (count * (count + 1)) if pick else 0.0
        gains.append(choice.gain + preference)
    return [*gains, *([0.0] * len(columns.stacks))]


def _search(
    problem: Problem, columns: _Columns, start: Assignment, seconds: float
) -> tuple[Assignment | None, float, bool]:
    highspy = _highspy()
    solver = highspy.Highs()
    for name, value in (
        ("output_flag", False),
        ("threads", 1),
        ("random_seed", 0),
        ("mip_rel_gap", 0.0),
        ("mip_abs_gap", 1e-6),
        ("time_limit", max(0.01, seconds)),
    ):
        solver.setOptionValue(name, value)
    solver.passModel(_model(highspy, problem, columns))
    first = highspy.HighsSolution()
    first.col_value = _values(columns, start)
    solver.setSolution(first)
    solver.run()
    info, status = solver.getInfo(), solver.getModelStatus()
    proven = status == highspy.HighsModelStatus.kOptimal
    if info.primal_solution_status != 2:
        return None, INFINITE, False
    values = list(solver.getSolution().col_value)
    return Assignment(problem, _picks(problem, columns, values)), info.mip_dual_bound, proven


def _model(highspy: Any, problem: Problem, columns: _Columns) -> Any:
    rows = _rows(problem, columns)
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = columns.count, len(rows)
    lp.sense_ = highspy.ObjSense.kMaximize
    lp.col_cost_ = _objective(problem, columns)
    lp.col_lower_, lp.col_upper_ = [0.0] * columns.count, [1.0] * columns.count
    lp.row_lower_ = [_bound(low, highspy) for low, _, _ in rows]
    lp.row_upper_ = [_bound(high, highspy) for _, high, _ in rows]
    lp.integrality_ = [highspy.HighsVarType.kInteger] * columns.count
    starts, indices, coefficients = [0], [], []
    for _, _, row in rows:
        indices += list(row)
        coefficients += list(row.values())
        starts.append(len(indices))
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = starts, indices, coefficients
    return lp


def _bound(value: float, highspy: Any) -> float:
    return float(-highspy.kHighsInf) if value == -INFINITE else value


def _values(columns: _Columns, assignment: Assignment) -> list[float]:
    picked = [float(assignment.picks[index] == pick) for index, pick in columns.picks]
    known = [float(assignment.knows(team, stack)) for team, stack in columns.stacks]
    return [*picked, *known]


def _picks(problem: Problem, columns: _Columns, values: list[float]) -> list[int]:
    best: dict[int, tuple[float, int]] = {}
    for (index, pick), value in zip(columns.picks, values, strict=False):
        best[index] = max(best.get(index, (-1.0, 0)), (value, pick))
    return [best[index][1] for index in range(len(problem.choices))]


def _highspy() -> Any:
    try:
        import highspy
    except ImportError as error:
        raise SolverMissing(
            "The optimum needs the solver HiGHS: pip install 'portal-backend[planner]', or ask for the greedy plan."
        ) from error
    return highspy
