"""What is found by labels is what a look at every object finds, in time that grows with the cluster and not faster."""

import random

import pytest

from plugins.connectors.kubernetes.labelled import Labelled, Selectors
from plugins.connectors.kubernetes.selectors import Selector, of_object, parse
from plugins.connectors.kubernetes.workloads import Cluster, facts_of, zones_of_pods

KEYS, VALUES = ("app", "tier", "zone"), ("a", "b", "c", "")


def labels(chance: random.Random) -> dict[str, str]:
    return {key: chance.choice(VALUES) for key in KEYS if chance.random() < 0.6}


def selector(chance: random.Random) -> Selector:
    if chance.random() < 0.1:
        return chance.choice([of_object(None), of_object({}), parse("")])
    names = {key: chance.choice(VALUES) for key in KEYS if chance.random() < 0.3}
    expressions = [
        {"key": chance.choice(KEYS), "operator": operator, "values": chance.choices(VALUES, k=chance.randint(0, 3))}
        for operator in ("In", "NotIn", "Exists", "DoesNotExist")
        if chance.random() < 0.3
    ]
    return of_object({"matchLabels": names, "matchExpressions": expressions})


@pytest.mark.parametrize("seed", range(20))
def test_an_index_finds_what_a_look_at_every_object_finds(seed):
    chance = random.Random(seed)
    objects = [(labels(chance), number) for number in range(60)]
    found = Labelled(objects)
    for _ in range(60):
        selects = selector(chance)
        assert found.selected(selects) == [number for own, number in objects if selects(own)], selects


@pytest.mark.parametrize("seed", range(20))
def test_an_object_is_selected_by_any_of_several_as_by_trying_each(seed):
    chance = random.Random(seed)
    selectors = [selector(chance) for _ in range(chance.randint(0, 6))]
    together = Selectors(selectors)
    for _ in range(60):
        own = labels(chance)
        assert together.any_selects(own) == any(selects(own) for selects in selectors), (selectors, own)


def test_of_a_large_namespace_each_workload_looks_at_its_own_pods_and_budgets_alone(monkeypatch):
    """Every one of 300 services has two pods and a budget; all have a label in common, which narrows nothing down."""
    looks = 0
    look = Selector.__call__

    def counted(selects: Selector, own: dict[str, str]) -> bool:
        nonlocal looks
        looks += 1
        return look(selects, own)

    monkeypatch.setattr(Selector, "__call__", counted)
    chosen = [{"part-of": "shop", "app": f"app{number}"} for number in range(300)]
    nodes = [{"metadata": {"name": zone, "labels": {"topology.kubernetes.io/zone": zone}}} for zone in "ab"]
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    pods = [
        {"metadata": {"namespace": "shop", "labels": own}, "spec": {"nodeName": zone}, "status": ready}
        for own in chosen
        for zone in "ab"
    ]
    cluster = Cluster(
        zones=zones_of_pods(pods, nodes),
        budgets={"shop": Selectors(of_object({"matchLabels": own}) for own in chosen)},
    )
    for own in chosen:
        workload = {
            "metadata": {"namespace": "shop"},
            "spec": {"selector": {"matchLabels": own}, "template": {"metadata": {"labels": own}}},
        }
        facts = facts_of([workload], cluster)
        assert (facts["runtime.zones"], facts["runtime.disruption_budget.set"]) == (2, True)
    assert looks <= 3 * 2 * len(chosen)
