"""The numbers of values that are kept with the catalog are those of its entities, whatever happens to them."""

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import orjson
import pytest
from sqlalchemy import delete, select, update

from catalog.ingestion.counting import recount
from catalog.models import CatalogVersion, Entity, EntityBody, Location, ValueCount
from catalog.registering.removal import remove_entity, remove_location
from portal_backend import pruning
from tests.catalog.samples import NOW, bring_in, component, files

COUNTED = ("type", "lifecycle", "owner", "system")
LIST = "/api/catalog/entities/by-query?limit=1&orderField=metadata.name,asc"


def kept(session) -> Counter:
    columns = ValueCount.kind, ValueCount.path, ValueCount.value, ValueCount.original, ValueCount.entities
    return Counter({tuple(key): entities for *key, entities in session.execute(select(*columns))})


def counted(session) -> Counter:
    """What the entities say, read from the documents that are sent."""
    found: Counter = Counter()
    for body in session.scalars(select(EntityBody.body)):
        entity = orjson.loads(body)
        spec, metadata = entity.get("spec", {}), entity["metadata"]
        values = [("kind", entity["kind"]), ("metadata.namespace", metadata["namespace"].lower())]
        values += [(f"spec.{name}", spec[name]) for name in COUNTED if name in spec]
        values += [("metadata.tags", tag) for tag in dict.fromkeys(metadata.get("tags", ()))]
        for path, value in values:
            lowered = value.lower()
            found[entity["kind"].lower(), path, lowered, "" if value == lowered else value] += 1
    return found


def some_file(chance: Random, names: list[str]) -> str:
    documents = []
    for name in chance.sample(names, chance.randint(0, len(names))):
        tags = chance.sample(["java", "go", "a+b", "c#"], chance.randint(0, 3))
        namespace = chance.choice(["", "  namespace: prod\n"])
        system = chance.choice(["", "  system: Shop\n", "  system: shop\n"])
        metadata = f"  tags: [{', '.join(repr(tag) for tag in tags)}]\n{namespace}"
        type_, owner = chance.choice(["service", "Service", "website"]), chance.choice(["team-a", "Team-A", "b"])
        documents.append(component(name, system, metadata, type_, owner))
    return "---\n".join(documents)


def something_happens(session, chance: Random, folder: Path, now: datetime) -> None:
    names = [f"s{number}" for number in range(5)]
    match chance.choice(["write", "write", "write", "unlink", "entity", "location"]):
        case "write":
            files(folder, **{chance.choice("abc"): some_file(chance, names)})
        case "unlink":
            for file in sorted(folder.iterdir())[:1]:
                file.unlink()
        case "entity":
            some = select(Entity.uid).where(Entity.kind == "component").order_by(Entity.ref).limit(1)
            for uid in session.scalars(some).all():
                remove_entity(session, uid, "user:default/ann", now)
        case "location":
            for id_ in session.scalars(select(Location.id).where(Location.target == str(folder))).all():
                remove_location(session, id_, "user:default/ann", now)
    session.commit()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_numbers_are_those_of_the_entities_after_whatever_happens_to_them(session, tmp_path, seed):
    chance, now = Random(seed), NOW
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    for _ in range(14):
        now += timedelta(minutes=chance.choice([1, 50, 200]))
        folder = chance.choice(folders)
        something_happens(session, chance, folder, now)
        assert kept(session) == counted(session)
        bring_in(session, folder, now, allow_removals=chance.random() < 0.7)
        assert kept(session) == counted(session)
    assert session.scalar(select(ValueCount.entities).where(ValueCount.path == "spec.type").limit(1))


def test_a_catalog_in_which_nothing_was_counted_yet_answers_the_same_and_is_counted_with_the_next_write(
    session, client, tmp_path
):
    tagged = component("a", metadata="  tags: [java]\n") + "---\n" + component("B", type_="Service")
    bring_in(session, files(tmp_path, a=tagged))
    paths = [f"{LIST}&filter=kind=component", LIST] + [
        f"/api/catalog/entity-facets?facet=kind&facet=spec.type&facet=metadata.tags{more}"
        for more in ("", "&filter=kind=component", "&filter=kind=component,kind=location", "&filter=kind=none")
    ]
    answers = [client.get(path).json for path in paths]
    assert answers[0]["totalItems"] == 2
    assert answers[3]["facets"]["spec.type"] == [{"value": "Service", "count": 1}, {"value": "service", "count": 1}]
    session.execute(delete(ValueCount))
    session.execute(update(CatalogVersion).values(number=CatalogVersion.number + 1))
    session.commit()
    assert [client.get(path).json for path in paths] == answers
    bring_in(session, files(tmp_path, b=component("c")), NOW + timedelta(hours=1))
    assert kept(session) == counted(session)
    assert client.get(paths[0]).json["totalItems"] == 3


def test_numbers_that_went_wrong_are_put_right_by_the_daily_pass(app, session, client, tmp_path):
    bring_in(session, files(tmp_path, a=component("a")))
    assert recount(session) == 0
    session.execute(
        update(ValueCount).where(ValueCount.path == "spec.type", ValueCount.kind == "component").values(entities=7)
    )
    session.commit()
    facets = "/api/catalog/entity-facets?facet=spec.type&filter=kind=component"
    client.get(facets)
    with app.app_context():
        assert pruning.recount_values() == 2  # the number that was wrong, and the right one
        assert pruning.recount_values() == 0
    assert client.get(facets).json["facets"]["spec.type"] == [{"value": "service", "count": 1}]
    session.rollback()
    assert kept(session) == counted(session)
