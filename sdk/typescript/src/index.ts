/** The SDK of Argus for Node and browsers. Files are in `argus-sdk/node`. */
export { type AnyRequest, Argus, type ArgusOptions } from "./client.js";
export {
  AddressRefused, ApiError, ArgusError, ConnectionFailed, GraphqlFailed, type GraphqlFault, type InvalidValue, JobFailed,
  JobWaitExceeded, ResponseUnusable,
} from "./errors.js";
export * as evidence from "./evidence/index.js";
export type { GraphqlOperation } from "./graphql.js";
export type { Job, JobResult, Waiting } from "./jobs.js";
export type { WantedTranscript } from "./cloud_evidence.js";
export type { Given, Item, Keyed, Method, Operation, PathOf, QueryOf, Result, Schemas, Sending, Values } from "./operations.js";
export type { ClientCredentials } from "./tokens.js";
export type { Clock, Reply } from "./transport.js";
export * as webhooks from "./webhooks.js";
