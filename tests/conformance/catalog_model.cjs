// Says of every document of the given files whether Backstage's own model takes it as an entity.
// In: a JSON list of files in base64. Out: a JSON list of lists of booleans.
const YAML = require('yaml');
const model = require('@backstage/catalog-model');
const { templateEntityV1beta3Validator } = require('@backstage/plugin-scaffolder-common');

const policy = model.EntityPolicies.allOf([
  new model.SchemaValidEntityPolicy(),
  new model.DefaultNamespaceEntityPolicy(),
  new model.NoForeignRootFieldsEntityPolicy(),
  new model.FieldFormatEntityPolicy(),
]);
const validators = ['api', 'component', 'resource', 'group', 'location', 'user', 'system', 'domain'].map(
  kind => model[`${kind}EntityV1alpha1Validator`],
);
validators.push(templateEntityV1beta3Validator);
const envelope = model.entityEnvelopeSchemaValidator();
const FIELDS = ['owner', 'system', 'subcomponentOf', 'domain', 'subdomainOf', 'parent'];
const LISTS = { providesApis: 'API', consumesApis: 'API', memberOf: 'Group', children: 'Group', members: 'User' };

async function isGood(entity) {
  try {
    envelope(entity);
    // The collector of the catalog's processing puts its own annotations over those of the file.
    const annotations = entity.metadata.annotations || {};
    if (typeof annotations !== 'object' || Array.isArray(annotations)) return false;
    const given = { ...entity, metadata: { ...entity.metadata, annotations } };
    const enforced = await policy.enforce(given);
    let known = false;
    for (const validator of validators) known = (await validator.check(enforced)) || known;
    if (!known) return false;
    for (const field of enforced.kind === 'Template' ? ['owner'] : FIELDS) {
      if (enforced.spec[field] !== undefined) model.parseEntityRef(enforced.spec[field], { defaultKind: 'any' });
    }
    for (const [field, defaultKind] of Object.entries(LISTS)) {
      for (const ref of enforced.spec[field] ?? []) model.parseEntityRef(ref, { defaultKind });
    }
    if (['Component', 'Resource'].includes(enforced.kind)) {
      for (const field of ['dependsOn', 'dependencyOf']) {
        const given = enforced.spec[field]; // the catalog takes a lone reference too, and no rule is there for the latter
        if (given) [given].flat().forEach(ref => model.parseEntityRef(ref));
      }
    }
    return true;
  } catch {
    return false;
  }
}

async function verdicts(content) {
  const found = [];
  for (const document of YAML.parseAllDocuments(content.toString('utf8'), { merge: false })) {
    if (document.errors.length) {
      found.push(false);
      continue;
    }
    let entity;
    try {
      entity = document.toJSON();
    } catch {
      found.push(false); // an alias without its anchor
      continue;
    }
    if (entity === null) continue;
    const isMapping = typeof entity === 'object' && !Array.isArray(entity);
    found.push(isMapping && (await isGood(entity)));
  }
  return found;
}

(async () => {
  const files = JSON.parse(require('fs').readFileSync(0, 'utf8'));
  const answers = [];
  for (const file of files) answers.push(await verdicts(Buffer.from(file, 'base64')));
  process.stdout.write(JSON.stringify(answers));
})();
