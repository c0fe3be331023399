// Medplum's repository in memory, with an index of identifiers. Without it, each conditional create examines every
// resource of the type: 250 entries take 15 s, and the time grows with the square. The index finds exactly what a search
// by one identifier (system|value) finds; any other search is Medplum's own.
globalThis.WebSocket ??= class {}; // Medplum's client names it when it is loaded; node has it from 22 on
const { Operator } = await import("@medplum/core");
const { MemoryRepository } = await import("@medplum/fhir-router");

export class IndexedRepository extends MemoryRepository {
  #found = new Map();

  searchSync(request) {
    const [filter, ...others] = request.filters ?? [];
    const isIdentifier = filter?.code === "identifier" && filter.operator === Operator.EQUALS && /^[^|,\\]+\|[^|,\\]+$/.test(filter.value);
    if (!isIdentifier || others.length) return super.searchSync(request);
    const all = this.resources;
    this.resources = new Map([[request.resourceType, this.#found.get(`${request.resourceType}?${filter.value}`) ?? new Map()]]);
    try {
      return super.searchSync({ ...request, filters: [] });
    } finally {
      this.resources = all;
    }
  }

  createResourceSync(resource, options, isUpdate) {
    if (isUpdate) throw new Error("the index has no updates");
    const created = super.createResourceSync(resource, options, isUpdate);
    const stored = this.resources.get(created.resourceType).get(created.id);
    for (const { system, value } of [stored.identifier ?? []].flat()) {
      const key = `${created.resourceType}?${system}|${value}`;
      if (!this.#found.has(key)) this.#found.set(key, new Map());
      this.#found.get(key).set(created.id, stored);
    }
    return created;
  }

  deleteResource() {
    throw new Error("the index has no deletions");
  }
}
