// Calls every method of the published Tech Insights client against the server whose address is the argument, as a
// Backstage page would, and prints what came back as JSON.
const { TechInsightsClient } = require('@backstage-community/plugin-tech-insights-common/client');

const [baseUrl] = process.argv.slice(2);
const client = new TechInsightsClient({
  discoveryApi: { getBaseUrl: async plugin => `${baseUrl}/api/${plugin}` },
  identityApi: { getCredentials: async () => ({}) },
});
const shakespeare = { kind: 'Component', namespace: 'default', name: 'shakespeare' };
const quill = { kind: 'component', namespace: 'default', name: 'quill' };
const nobody = { kind: 'component', namespace: 'default', name: 'nobody' };

async function refusal(call) {
  try {
    return { answered: await call() };
  } catch (error) {
    return { name: error.name, statusCode: error.statusCode, cause: error.cause.name, message: error.cause.message };
  }
}

async function main() {
  const checks = await client.getAllChecks();
  const some = checks.filter(check => ['cap.limits', 'chg.cfr'].includes(check.id));
  const facts = checks.flatMap(check => check.factIds);
  return {
    checks,
    schemas: await client.getFactSchemas(),
    facts: await client.getFacts(shakespeare, facts),
    run: await client.runChecks(shakespeare),
    runSome: await client.runChecks(shakespeare, some.map(check => check.id)),
    runUnknownEntity: await client.runChecks(nobody, []),
    runUnknownCheck: await refusal(() => client.runChecks(shakespeare, ['nope'])),
    bulk: await client.runBulkChecks([shakespeare, quill, nobody]),
    bulkSome: await client.runBulkChecks([shakespeare, quill], some),
    bulkOfNone: await client.runBulkChecks([], some),
    bulkOfMany: (await client.runBulkChecks(new Array(751).fill(shakespeare), some)).length,
    noIds: await refusal(() => client.getFacts(shakespeare, [])),
  };
}

main().then(
  answers => process.stdout.write(JSON.stringify(answers), () => process.exit(0)),
  error => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  },
);
