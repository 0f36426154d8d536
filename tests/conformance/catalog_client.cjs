// Calls every method of the published catalog client against a server, as Backstage's frontend and backends would, and
// prints what each case found wrong (nothing, or the failure) and which methods were called, as JSON.
// Arguments: the server's address, and that of a web server with the catalog files.
const assert = require('node:assert/strict');
const { CatalogClient, CATALOG_FILTER_EXISTS } = require('@backstage/catalog-client');
const { stringifyEntityRef } = require('@backstage/catalog-model');

const [baseUrl, web] = process.argv.slice(2);
const discoveryApi = { getBaseUrl: async plugin => `${baseUrl}/api/${plugin}` };
const called = new Set();
const requests = [];
const client = new Proxy(
  new CatalogClient({
    discoveryApi,
    fetchApi: {
      fetch: (url, init) => {
        requests.push(`${init?.method ?? 'GET'} ${decodeURIComponent(String(url)).replace(`${baseUrl}/api/catalog`, '')}`);
        return fetch(url, init);
      },
    },
  }),
  {
    get(target, name) {
      const value = target[name];
      if (typeof value !== 'function') return value;
      called.add(name);
      return value.bind(target);
    },
  },
);

const TARGET = `${web}/all.yaml`;
const OTHER = `${web}/other.yaml`;
const names = entities => entities.map(entity => entity.metadata.name);
const component = name => `component:default/${name}`;
const pad = number => `c-${String(number).padStart(2, '0')}`;
const ALL = Array.from({ length: 25 }, (_, number) => pad(number));
const COMPONENTS = { kind: 'component', 'spec.type': 'library' };
const GOOD = {
  apiVersion: 'backstage.io/v1alpha1',
  kind: 'Component',
  metadata: { name: 'good' },
  spec: { type: 'service', lifecycle: 'production', owner: 'team-a' },
};

async function until(condition, what) {
  const end = Date.now() + 30_000;
  while (Date.now() < end) {
    const found = await condition();
    if (found) return found;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  throw new Error(`waited in vain until ${what}`);
}

async function refused(status, name, call, url) {
  const error = await call().then(
    () => assert.fail(`answered, instead of ${status}`),
    thrown => thrown,
  );
  assert.equal(error.name, 'ResponseError', error.stack);
  assert.equal(error.statusCode, status);
  assert.equal(error.cause.name, name);
  assert.ok(error.body.error.message);
  assert.equal(error.body.response.statusCode, status);
  if (url) assert.equal(error.body.request.url, url);
  return error;
}

const bad = (call, url) => refused(400, 'InputError', call, url);

let location;
const cases = {
  async dryRunReadsEverythingAndStoresNothing() {
    const answer = await client.addLocation({ type: 'url', target: TARGET, dryRun: true });
    assert.equal(answer.exists, false);
    assert.equal(answer.location.id, `url:${TARGET}`);
    assert.equal(answer.entities.filter(({ kind }) => kind === 'Component').length, 26);
    assert.equal(answer.entities.filter(({ kind }) => kind === 'Location').length, 2);
    assert.ok(answer.entities.every(({ metadata, relations }) => !metadata.uid && !metadata.etag && !relations));
    assert.deepEqual((await client.getLocations()).items, []);
    assert.deepEqual((await client.getEntities()).items, []);
  },
  async dryRunOfAnythingWrongIsRefused() {
    const add = target => () => client.addLocation({ target, dryRun: true });
    await bad(add(`${web}/none.yaml`), '/locations?dryRun=true');
    await bad(add(`${web}/broken.yaml`));
    await bad(add(`${web}/invalid.yaml`));
    await bad(add(`${web}/group.yaml`));
  },
  async addLocationRegistersAndEntitiesFollow() {
    const answer = await client.addLocation({ target: TARGET });
    location = answer.location;
    assert.deepEqual(answer.entities, []);
    assert.deepEqual(Object.keys(location).sort(), ['entityRef', 'id', 'target', 'type']);
    assert.match(location.entityRef, /^location:default\/generated-[0-9a-f]{40}$/);
    await until(() => client.getEntityByRef(component('c-24')), 'the entities are there');
  },
  async addLocationTwice() {
    await refused(409, 'ConflictError', () => client.addLocation({ target: TARGET }), '/locations');
    await refused(409, 'ConflictError', () => client.addLocation({ target: TARGET, onConflict: 'reject' }));
    const again = await client.addLocation({ target: TARGET, onConflict: 'refresh' });
    assert.deepEqual(again.location, location);
    assert.equal((await client.addLocation({ target: TARGET, dryRun: true })).exists, true);
  },
  async addLocationOfWhatMayNotBe() {
    await bad(() => client.addLocation({ type: 'ftp', target: 'x' }));
    await bad(() => client.addLocation({ target: 'no url' }));
    await bad(() => client.addLocation({ target: 'javascript:alert(1)' }));
    await bad(() => client.addLocation({ target: TARGET, onConflict: 'perhaps' }));
  },
  async locationsAreFound() {
    assert.deepEqual((await client.getLocations()).items, [location]);
    assert.deepEqual(await client.getLocationById(location.id), location);
    assert.deepEqual(await client.getLocationByRef(`url:${TARGET}`), location);
    assert.deepEqual(await client.getLocationByEntity(component('c-01')), location);
    assert.equal(await client.getLocationById('6a1c5ea5-0000-4000-8000-000000000000'), undefined);
    assert.equal(await client.getLocationById('nope'), undefined);
    assert.equal(await client.getLocationByRef('url:https://example.com/none'), undefined);
    assert.equal(await client.getLocationByEntity('component:default/none'), undefined);
  },
  async locationsByQuery() {
    const more = [];
    for (const name of ['x', 'y', 'z']) {
      more.push((await client.addLocation({ target: `${web}/none-${name}.yaml` })).location.id);
    }
    const query = { target: { $hasPrefix: `${web}/NONE-` } };
    const first = await client.queryLocations({ query, limit: 2 });
    assert.equal(first.totalItems, 3);
    const second = await client.queryLocations({ cursor: first.pageInfo.nextCursor });
    assert.deepEqual([...first.items, ...second.items].map(({ id }) => id), [...more].sort());
    assert.deepEqual(second.pageInfo, {});
    const streamed = [];
    for await (const page of client.streamLocations({ query, limit: 1 })) streamed.push(page.length);
    assert.deepEqual(streamed, [1, 1, 1]);
    assert.equal((await client.queryLocations()).totalItems, 4);
    assert.deepEqual((await client.queryLocations({ query: { id: location.id } })).items, [location]);
    await bad(() => client.queryLocations({ limit: 0 }), '/locations/by-query');
    await bad(() => client.queryLocations({ cursor: 'nonsense' }));
    await bad(() => client.queryLocations({ query: { 'spec.type': 'x' } }));
    for (const id of more) await client.removeLocationById(id);
    assert.equal((await client.queryLocations()).totalItems, 1);
  },
  async getEntitiesByFilter() {
    const all = await client.getEntities();
    assert.equal(all.items.length, 28);
    const libraries = await client.getEntities({ filter: COMPONENTS });
    assert.deepEqual(names(libraries.items).sort(), ALL);
    const either = await client.getEntities({
      filter: [{ kind: 'Component', 'metadata.name': ['C-01', 'c-02'] }, { kind: 'location', 'metadata.name': 'nested' }],
    });
    assert.deepEqual(names(either.items).sort(), ['c-01', 'c-02', 'nested']);
    const tagged = await client.getEntities({ filter: { 'metadata.tags': 'even', 'spec.type': CATALOG_FILTER_EXISTS } });
    assert.equal(tagged.items.length, 13);
    const owned = await client.getEntities({ filter: { 'relations.ownedby': 'group:default/team-a' } });
    assert.equal(owned.items.length, 13);
    assert.equal((await client.getEntities({ filter: { kind: 'none' } })).items.length, 0);
  },
  async getEntitiesInPartsAndOrder() {
    const fields = ['kind', 'metadata.name', 'metadata.annotations.backstage.io/managed-by-origin-location'];
    const order = { field: 'metadata.name', order: 'desc' };
    const page = await client.getEntities({ filter: COMPONENTS, fields, order, limit: 2, offset: 1 });
    assert.deepEqual(page.items, ['c-23', 'c-22'].map(name => ({
      kind: 'Component',
      metadata: { name, annotations: { 'backstage.io/managed-by-origin-location': `url:${TARGET}` } },
    })));
    const after = Buffer.from(JSON.stringify({ limit: 3, offset: 3 })).toString('base64');
    const rest = await client.getEntities({ filter: COMPONENTS, order: [order], after });
    assert.deepEqual(names(rest.items), ['c-21', 'c-20', 'c-19']);
    await bad(() => client.getEntities({ limit: 0 }), '/entities?limit=0');
    await bad(() => client.getEntities({ offset: -1 }));
    await bad(() => client.getEntities({ after: 'nonsense' }));
    await bad(() => client.getEntities({ order: { field: 'kind', order: 'sideways' } }));
    await bad(() => client.getEntities({ fields: ['metadata.tags[0]'] }));
  },
  async getEntitiesByRefs() {
    const refs = [component('c-01'), component('none'), component('c-00'), component('c-01'), 'nonsense'];
    const { items } = await client.getEntitiesByRefs({ entityRefs: refs, fields: ['metadata.name'] });
    const found = name => ({ metadata: { name } });
    assert.deepEqual(items, [found('c-01'), undefined, found('c-00'), found('c-01'), undefined]);
    const filtered = await client.getEntitiesByRefs({ entityRefs: refs, filter: { 'metadata.tags': 'even' } });
    assert.deepEqual(filtered.items.map(entity => entity?.metadata.name), [undefined, undefined, 'c-00', undefined, undefined]);
    const queried = await client.getEntitiesByRefs({ entityRefs: refs, query: { 'metadata.name': { $in: ['C-01'] } } });
    assert.deepEqual(queried.items.map(entity => Boolean(entity)), [true, false, false, true, false]);
    const many = Array.from({ length: 2500 }, (_, number) => component(number % 2 ? 'c-03' : `none-${number}`));
    const chunked = await client.getEntitiesByRefs({ entityRefs: many, fields: ['metadata.name'] });
    assert.equal(chunked.items.length, 2500);
    assert.equal(chunked.items.filter(Boolean).length, 1250);
    assert.deepEqual((await client.getEntitiesByRefs({ entityRefs: [] })).items, []);
    await bad(() => client.getEntitiesByRefs({ entityRefs: refs, query: { $none: [] } }), '/entities/by-refs');
  },
  async queryEntitiesBothWays() {
    for (const selection of [{ filter: COMPONENTS }, { query: COMPONENTS }]) {
      for (const order of ['asc', 'desc']) {
        const expected = order === 'asc' ? ALL : [...ALL].reverse();
        const orderFields = { field: 'metadata.name', order };
        let page = await client.queryEntities({ ...selection, limit: 10, orderFields, fields: ['metadata.name'] });
        assert.equal(page.pageInfo.prevCursor, undefined);
        const pages = [page];
        while (page.pageInfo.nextCursor) {
          page = await client.queryEntities({ cursor: page.pageInfo.nextCursor, limit: 10, fields: ['metadata.name'] });
          pages.push(page);
        }
        assert.deepEqual(pages.map(({ items }) => items.length), [10, 10, 5]);
        assert.deepEqual(names(pages.flatMap(({ items }) => items)), expected);
        assert.ok(pages.every(({ totalItems }) => totalItems === 25));
        const back = [page];
        while (page.pageInfo.prevCursor) {
          page = await client.queryEntities({ cursor: page.pageInfo.prevCursor, limit: 10, fields: ['metadata.name'] });
          back.unshift(page);
        }
        assert.deepEqual(back.map(({ items }) => names(items)), pages.map(({ items }) => names(items)));
        const again = await client.queryEntities({ cursor: page.pageInfo.nextCursor, limit: 3 });
        assert.deepEqual(names(again.items), expected.slice(10, 13));
      }
    }
    assert.ok(requests.some(line => line.startsWith('POST /entities/by-query')));
    assert.ok(requests.some(line => line.startsWith('GET /entities/by-query')));
  },
  async queryEntitiesAmongTies() {
    const found = [];
    let page = await client.queryEntities({ filter: COMPONENTS, limit: 4, orderFields: { field: 'spec.lifecycle', order: 'asc' } });
    found.push(...names(page.items));
    while (page.pageInfo.nextCursor) {
      page = await client.queryEntities({ cursor: page.pageInfo.nextCursor, limit: 4 });
      found.push(...names(page.items));
    }
    assert.deepEqual([...found].sort(), ALL);
  },
  async queryEntitiesBySeveralWays() {
    const total = async request => (await client.queryEntities({ limit: 0, ...request })).totalItems;
    assert.equal(await total({ filter: COMPONENTS }), 25);
    assert.equal(await total({ query: { $all: [COMPONENTS, { $not: { 'metadata.tags': 'even' } }] } }), 12);
    assert.equal(await total({ query: { kind: 'component', 'metadata.tags': { $contains: 'even' } } }), 13);
    assert.equal(await total({ query: { relations: { $contains: { type: 'ownedBy', targetRef: 'group:default/team-b' } } } }), 13);
    assert.equal(await total({ query: { 'metadata.title': { $exists: true } } }), 1);
    assert.equal(await total({ query: COMPONENTS, filter: { 'metadata.name': 'c-07' } }), 1);
    assert.equal(await total({ filter: COMPONENTS, totalItems: 'exclude' }), 0);
    assert.equal(await total({ query: { $any: [] } }), 0);
    const text = await client.queryEntities({ fullTextFilter: { term: ' PAYMENT ', fields: ['metadata.name', 'metadata.title'] } });
    assert.deepEqual(names(text.items), ['c-07']);
    const posted = await client.queryEntities({
      query: COMPONENTS, offset: 20, orderFields: [{ field: 'metadata.name', order: 'asc' }],
      fullTextFilter: { term: 'c-', fields: ['metadata.name'] }, fields: ['metadata.name'],
    });
    assert.deepEqual(posted.items, ALL.slice(20).map(name => ({ metadata: { name } })));
    assert.equal((await client.queryEntities()).items.length, 28);
  },
  async queryEntitiesRefused() {
    await bad(() => client.queryEntities({ cursor: 'nonsense' }), '/entities/by-query?cursor=nonsense');
    const cursor = Buffer.from(JSON.stringify({ query: 5 })).toString('base64');
    await bad(() => client.queryEntities({ cursor }), '/entities/by-query');
    await bad(() => client.queryEntities({ limit: -1 }));
    await bad(() => client.queryEntities({ totalItems: 'perhaps' }));
    await bad(() => client.queryEntities({ orderFields: { field: 'kind', order: 'sideways' } }));
    await bad(() => client.queryEntities({ query: { kind: { $like: 'x' } } }));
    await bad(() => client.queryEntities({ query: { 'spec.type': { $contains: { type: 'x' } } } }));
  },
  async streamEntities() {
    const pages = [];
    for await (const page of client.streamEntities({ filter: COMPONENTS, pageSize: 7 })) pages.push(page);
    assert.deepEqual(pages.map(({ length }) => length), [7, 7, 7, 4]);
    assert.deepEqual(names(pages.flat()).sort(), ALL);
    const queried = [];
    for await (const page of client.streamEntities({ query: COMPONENTS })) queried.push(...page);
    assert.equal(queried.length, 25);
  },
  async facets() {
    const counted = await client.getEntityFacets({ facets: ['kind', 'metadata.tags', 'relations.ownedBy', 'none'] });
    assert.deepEqual(counted.facets, {
      kind: [{ value: 'Component', count: 26 }, { value: 'Location', count: 2 }],
      'metadata.tags': [{ value: 'even', count: 13 }, { value: 'many', count: 25 }],
      'relations.ownedBy': [{ value: 'group:default/team-a', count: 13 }, { value: 'group:default/team-b', count: 13 }],
      none: [],
    });
    const some = await client.getEntityFacets({ filter: { 'metadata.tags': 'even' }, facets: ['spec.type'] });
    assert.deepEqual(some.facets, { 'spec.type': [{ value: 'library', count: 13 }] });
    const queried = await client.getEntityFacets({ query: { 'metadata.name': 'c-07' }, facets: ['spec.type'] });
    assert.deepEqual(queried.facets, { 'spec.type': [{ value: 'library', count: 1 }] });
    await bad(() => client.getEntityFacets({ facets: [] }));
    await bad(() => client.getEntityFacets({ query: { $or: [] }, facets: ['kind'] }), '/entity-facets');
  },
  async entitiesByName() {
    const entity = await client.getEntityByRef('Component:Default/C-07');
    assert.equal(stringifyEntityRef(entity), component('c-07'));
    assert.deepEqual(await client.getEntityByRef({ kind: 'component', namespace: 'default', name: 'c-07' }), entity);
    assert.deepEqual(await client.getEntityByName({ kind: 'component', name: 'c-07' }), entity);
    assert.equal(await client.getEntityByRef(component('none')), undefined);
    assert.deepEqual(entity.relations, [
      { type: 'dependsOn', targetRef: component('c-06') },
      { type: 'ownedBy', targetRef: 'group:default/team-b' },
    ]);
    assert.equal(entity.metadata.annotations['backstage.io/managed-by-location'], `url:${web}/components.yaml`);
  },
  async ancestors() {
    const { rootEntityRef, items } = await client.getEntityAncestors({ entityRef: component('c-07') });
    assert.equal(rootEntityRef, component('c-07'));
    assert.deepEqual(items.map(({ entity }) => stringifyEntityRef(entity)), [
      component('c-07'), 'location:default/nested', location.entityRef,
    ]);
    assert.deepEqual(items.map(({ parentEntityRefs }) => parentEntityRefs), [
      ['location:default/nested'], [location.entityRef], [],
    ]);
    await refused(404, 'NotFoundError', () => client.getEntityAncestors({ entityRef: component('none') }),
      '/entities/by-name/component/default/none/ancestry');
  },
  async validation() {
    const place = 'url:https://example.com/all.yaml';
    assert.deepEqual(await client.validateEntity(GOOD, place), { valid: true });
    for (const [entity, where] of [[{ ...GOOD, spec: {} }, place], [{ ...GOOD, kind: 'Nothing' }, place], [GOOD, 'nonsense'], [GOOD, 'file:/x']]) {
      const { valid, errors } = await client.validateEntity(entity, where);
      assert.equal(valid, false);
      assert.ok(errors.length && errors.every(error => error.name && error.message));
    }
  },
  async analysis() {
    const at = target => ({ location: { type: 'url', target } });
    const known = await client.analyzeLocation({ ...at('https://github.com/acme/shop'), catalogFilename: 'x.yaml' });
    assert.deepEqual(known.existingEntityFiles, []);
    assert.deepEqual(known.generateEntities[0].entity.metadata, {
      name: 'shop', annotations: { 'github.com/project-slug': 'acme/shop' },
    });
    const unknown = await client.analyzeLocation(at('https://example.com/acme/shop'));
    assert.deepEqual(unknown.generateEntities[0].entity.metadata, { name: 'shop' });
    await bad(() => client.analyzeLocation(at('nonsense')), '/analyze-location');
  },
  async refresh() {
    await client.refreshEntity(component('c-01'));
    await client.refreshEntity(location.entityRef);
    await refused(404, 'NotFoundError', () => client.refreshEntity(component('none')), '/refresh');
    await refused(404, 'NotFoundError', () => client.refreshEntity('nonsense'), '/refresh');
  },
  async removedEntitiesComeBackWithAnotherUid() {
    const { uid } = (await client.getEntityByRef(component('c-05'))).metadata;
    await client.removeEntityByUid(uid);
    await client.removeEntityByUid(uid);
    await client.refreshEntity(component('c-06'));
    const back = await until(() => client.getEntityByRef(component('c-05')), 'the entity is back');
    assert.notEqual(back.metadata.uid, uid);
  },
  async updateLocation() {
    const { uid } = (await client.getEntityByRef(component('c-07'))).metadata;
    const moved = await client.updateLocation(location.id, { type: 'url', target: OTHER });
    assert.deepEqual(moved, { ...location, target: OTHER });
    await until(async () => !(await client.getEntityByRef(component('c-08'))), 'the old entities left');
    assert.equal((await client.getEntityByRef(component('c-07'))).metadata.uid, uid);
    assert.ok(await client.getEntityByRef(component('only-other')));
    await refused(404, 'NotFoundError', () => client.updateLocation('6a1c5ea5-0000-4000-8000-000000000000', { target: OTHER }));
    await bad(() => client.updateLocation(location.id, { target: 'nonsense' }), `/locations/${location.id}`);
    const second = (await client.addLocation({ target: `${web}/none.yaml` })).location;
    await refused(409, 'ConflictError', () => client.updateLocation(second.id, { target: OTHER }));
    await client.removeLocationById(second.id);
  },
  async removeLocation() {
    await client.removeLocationById(location.id);
    assert.equal(await client.getLocationById(location.id), undefined);
    assert.deepEqual((await client.getEntities()).items, []);
    await refused(404, 'NotFoundError', () => client.removeLocationById(location.id));
  },
  async unknownRoutesAnswerNothing() {
    const answer = await fetch(`${baseUrl}/api/catalog/no-such-route`);
    assert.equal(answer.status, 404);
    assert.equal(await answer.text(), '');
  },
};

async function main() {
  const outcomes = {};
  for (const [name, run] of Object.entries(cases)) {
    outcomes[name] = await run().then(() => null, error => error.stack);
  }
  const internal = new Set(['constructor', 'requestIgnored', 'requestRequired', 'requestOptional', 'getFilterValue',
    'queryEntitiesByPredicate', 'getEntityFacetsByPredicate']);
  const methods = Object.getOwnPropertyNames(CatalogClient.prototype).filter(name => !internal.has(name));
  return { outcomes, uncalled: methods.filter(name => !called.has(name)) };
}

main().then(
  answers => process.stdout.write(JSON.stringify(answers), () => process.exit(0)),
  error => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  },
);
