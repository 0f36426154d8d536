"""Whom other products ask their checks of: filters read into `applies_to`, and named where they cannot be said."""

import pytest

from scorecards.checks.fields import entity_values, service_fields
from scorecards.evaluation import evaluate_fields
from tests.scorecards.importing.test_products import checks_of, draft_of
from tests.scorecards.samples import NOW, subject

RULE = {"factRef": "git:default/readme", "path": "$.exists", "operator": "equal", "value": True}


def applies(check, **entity):
    """Say whether a check applies to a service with this entity."""
    tags = tuple(entity.get("metadata", {}).get("tags", ()))
    type_ = entity.get("spec", {}).get("type", "service")
    fields = entity_values(entity, check.entity_fields)
    values = service_fields(subject(tags=tags, type=type_, fields=fields), ())
    return check.applies_to is None or evaluate_fields(check.applies_to.rule, values, NOW) is not False


def check_of(folder, **words):
    draft = draft_of([{"id": "has_readme", "rule": RULE, **words}])
    return checks_of(draft, folder)[0], draft.notes


def test_a_filter_of_soundcheck_matches_as_the_catalog_s_do(tmp_path):
    options = [{"kind": "Component", "spec.type": ["service", "Website"]}, {"metadata.tags.java": True}]
    check, notes = check_of(tmp_path, filter=options, exclude={"spec.lifecycle": "experimental"})
    assert notes == []
    assert applies(check, spec={"type": "website"})
    assert not applies(check, spec={"type": "library"})
    assert applies(check, spec={"type": "library"}, metadata={"tags": ["java"]})
    assert not applies(check, spec={"type": "website", "lifecycle": "Experimental"})
    assert check.applies_to.otherwise == "The check that was imported leaves it out by its filter."


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"filter": {"catalog": {"kind": "Component"}}}, "The `filter` of the check has_readme is not carried over"),
        ({"filter": {"type": "service"}}, "`type` is no field of the entity"),
        ({"filter": {"spec.type": []}}, "`spec.type` is compared with something that is no plain value"),
        ({"exclude": "spec.type=service"}, "The `exclude` of the check has_readme is not carried over"),
        ({"applicabilityRule": RULE}, "The `applicabilityRule` of the check has_readme is not carried over"),
        ({"filter": {"metadata.": "x"}}, "does not load here"),
        ({"filter": {"spec.type": [f"t{number}" for number in range(70)]}}, "does not load here"),
    ],
)
def test_a_filter_of_soundcheck_that_cannot_be_said_is_named(words, told, tmp_path):
    check, notes = check_of(tmp_path, **words)
    assert check.rule.facts == ("git.readme.exists",)
    assert check.applies_to is None
    assert [told in note for note in notes] == [True]


def test_tracks_place_the_checks_of_their_file_and_narrow_them(tmp_path):
    checks = [{"id": "has_readme", "rule": RULE, "filter": {"spec.type": "service"}}, {"id": "loose", "rule": RULE}]
    first = {"ordinal": 1, "checks": [{"id": "elsewhere"}]}
    second = {"ordinal": 2, "checks": [{"id": "has_readme", "description": "A readme stands there."}]}
    track = {"id": "docs", "name": "Docs", "levels": [second, first], "filter": {"metadata.tags": "go"}}
    draft = draft_of({"soundcheck": {"tracks": [track], "checks": checks}})
    readme, loose, elsewhere = checks_of(draft, tmp_path)
    assert (readme.level, readme.rule.facts) == (2, ("git.readme.exists",))
    assert "A readme stands there" in readme.question
    assert applies(readme, spec={"type": "service"}, metadata={"tags": ["go"]})
    assert not applies(readme, spec={"type": "service"})
    assert not applies(readme, spec={"type": "library"}, metadata={"tags": ["go"]})
    assert loose.applies_to is None
    assert (elsewhere.level, elsewhere.rule.facts) == (1, ("soundcheck.elsewhere",))
    assert not applies(elsewhere)
    assert draft.notes == []


def test_a_check_of_several_tracks_is_asked_of_whom_any_asks_it_and_on_the_lowest_level(tmp_path):
    def track(name, filters, *levels):
        placed = [{"ordinal": number, "checks": checks} for number, checks in enumerate(levels)]
        return {"id": name, "levels": placed, **filters}

    def draft(*tracks):
        return draft_of([{"id": "has_readme", "rule": RULE}, *tracks])

    asked = [{"id": "has_readme"}]
    of_go = track("go", {"filter": {"metadata.tags": "go"}}, [], asked)
    of_java = track("java", {"filter": {"metadata.tags": "java"}}, asked)
    narrowed = draft(of_go, of_java)
    (check,) = checks_of(narrowed, tmp_path)
    assert check.level == 1
    levels = "L2 of go, L1 of java"
    assert narrowed.notes == [f"The check has_readme stands on several levels ({levels}): it is asked on L1."]
    assert [applies(check, metadata={"tags": [tag]}) for tag in ("go", "java", "rust")] == [True, True, False]
    (check,) = checks_of(draft(of_go, track("all", {}, asked)), tmp_path)
    assert check.applies_to is None


def test_a_rule_of_cortex_is_asked_of_whom_both_filters_leave_in(tmp_path):
    def rule(title, **filters):
        return {"title": title, "expression": "ownership != null", "filter": filters}

    rules = [
        rule("Owned", groups={"include": ["pci"], "exclude": ["cookiecutter"]}),
        rule("Named", query='entity.tag().startsWith("pay-")'),
        rule("Counted", query='custom("a") > 1', teams=["x"]),
        rule("Placed", category="RESOURCE"),
        rule("Plain", kind="GENERIC", types={}),
    ]
    draft = draft_of({"name": "Ready", "filter": {"types": {"exclude": ["library"]}}, "rules": rules})
    owned, named, counted, *_ = checks_of(draft, tmp_path)
    assert applies(owned, metadata={"tags": ["pci"]})
    assert not applies(owned)
    assert not applies(owned, metadata={"tags": ["pci", "cookiecutter"]})
    assert not applies(owned, metadata={"tags": ["pci"]}, spec={"type": "library"})
    assert applies(named, metadata={"name": "pay-in"})
    assert not applies(named, metadata={"name": "mail"})
    assert counted.applies_to.rule.facts == ("type",)
    assert [note.partition(" (")[0] for note in draft.notes] == [
        'The filter `custom("a") > 1` of the rule “Counted” is not carried over',
        "The filter of the rule “Counted” says `teams` too, which is not carried over: add it to `applies_to`.",
        "The filter of the rule “Placed” asks it of the category RESOURCE; checks here are asked of services.",
    ]


def test_a_filter_of_port_and_one_of_opslevel_are_read_or_named(tmp_path):
    def card(property_, title):
        condition = {"property": property_, "operator": "=", "value": "bards"}
        rule = {"combinator": "and", "conditions": [{"property": "on_call", "operator": "isNotEmpty"}]}
        return {
            "title": title,
            "blueprint": "service",
            "filter": {"combinator": "and", "conditions": [condition]},
            "rules": [{"title": title, "identifier": title, "level": "Gold", "query": rule}],
        }

    draft = draft_of([card("$team", "Owned"), card("language", "Spoken")])
    owned, spoken = checks_of(draft, tmp_path)
    assert applies(owned, spec={"owner": "bards"})
    assert not applies(owned, spec={"owner": "poets"})
    assert spoken.applies_to is None
    assert "The filter of Spoken is not carried over" in " ".join(draft.notes)
    check = {"kind": "hasOwner", "spec": {"name": "Owned", "category": "x", "level": "gold", "filter": "tier_1"}}
    assert draft_of([check]).notes == [
        "The check Owned is asked of those of its filter tier_1, which stands elsewhere: add it to `applies_to`."
    ]


def test_levels_without_a_number_and_checks_by_their_bare_ids_are_read(tmp_path):
    levels = [{"ordinal": 2, "checks": ["second", None]}, {"ordinal": "one", "checks": ["first"]}, {"checks": 5}]
    draft = draft_of([{"id": "odd", "levels": levels}])
    assert [(check.title, check.level) for check in checks_of(draft, tmp_path)] == [("first", 1), ("second", 3)]
