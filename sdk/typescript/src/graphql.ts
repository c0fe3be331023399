/** GraphQL operations of the bundles that the app was granted. */
import type { Argus } from "./client.js";
import { GraphqlFailed, type GraphqlFault } from "./errors.js";
import { jsonOf } from "./transport.js";

/** One operation: the id of a registered document, or its text. */
export type GraphqlOperation = ({ readonly documentId: string } | { readonly query: string }) & {
  readonly variables?: Readonly<Record<string, unknown>>;
  /** Operation of a document that has several. */
  readonly operationName?: string;
  /** True if the document is a query, which may be repeated after 429, 503 and a lost connection. */
  readonly isQuery?: boolean;
  readonly signal?: AbortSignal;
};

interface GraphqlReply<T> {
  readonly data?: T;
  readonly errors?: readonly GraphqlFault[] | null;
}

export class Graphql {
  constructor(private readonly argus: Argus) {}

  /** Execute an operation, and return its data. Throws `GraphqlFailed` with the first error. */
  async execute<T = unknown>(operation: GraphqlOperation): Promise<T> {
    const { variables = {}, operationName, isQuery = false, signal } = operation;
    const document = "documentId" in operation ? { documentId: operation.documentId } : { query: operation.query };
    const reply = await this.argus.exchange("POST", "/graphql", {
      body: { ...document, ...(operationName !== undefined && { operationName }), variables },
      isRepeatable: isQuery,
      ...(signal && { signal }),
    });
    const { data, errors: given } = (jsonOf(reply) ?? {}) as GraphqlReply<T>;
    const errors = given ?? [];
    const [first] = errors;
    if (first === undefined) return data as T;
    const { code, trace_id: traceId } = first.extensions ?? {};
    throw new GraphqlFailed(
      {
        code: typeof code === "string" ? code : "graphql_error",
        detail: first.message,
        traceId: typeof traceId === "string" ? traceId : reply.headers.get("X-Argus-Trace-ID"),
      },
      data,
      errors,
    );
  }
}
