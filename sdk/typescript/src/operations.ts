/** Types of a request and its response, derived from the types that are generated from the OpenAPI document. */
import type { components, paths } from "./generated/openapi.js";

export type Schemas = components["schemas"];
export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** The paths of the document that have an operation with this method. */
export type PathOf<M extends Method> = {
  [P in keyof paths]: paths[P][Lowercase<M> & keyof paths[P]] extends { responses: unknown } ? P : never;
}[keyof paths];

export type Operation<M extends Method, P extends PathOf<M>> = paths[P][Lowercase<M> & keyof paths[P]];

type PathParameters<O> = O extends { parameters: { path: infer T } } ? T : never;
type Query<O> = O extends { parameters: { query?: infer T } } ? NonNullable<T> : never;
type RequestBody<O> = O extends { requestBody?: infer T } ? NonNullable<T> : never;
type TakesKey<O> = O extends { parameters: { header?: infer T } } ? "Idempotency-Key" extends keyof NonNullable<T> ? true : false : false;
type Body<O> = [RequestBody<O>] extends [never]
  ? never
  : RequestBody<O> extends { content: { "application/json": infer T } } ? T : never;

/** The values of a request. Members are absent where the operation has none. */
export type Values<O> = ([PathParameters<O>] extends [never] ? { path?: never } : { path: PathParameters<O> }) &
  ([Query<O>] extends [never] ? { query?: never } : { query?: Query<O> }) &
  ([Body<O>] extends [never] ? { body?: never } : O extends { requestBody: unknown } ? { body: Body<O> } : { body?: Body<O> }) &
  (TakesKey<O> extends true ? Keyed : { idempotencyKey?: never }) &
  Sending;

/** The parameters of the query of an operation. */
export type QueryOf<M extends Method, P extends PathOf<M>> = Query<Operation<M, P>>;

/** `Values`, which may be left out where nothing in them is required. */
export type Given<O> = object extends Values<O> ? [values?: Values<O>] : [values: Values<O>];

/** A request that may be repeated with its key. */
export interface Keyed {
  /** Makes a POST safe to repeat. A new UUID for each change (`crypto.randomUUID()`). */
  readonly idempotencyKey?: string;
}

/** How a request is sent. */
export interface Sending {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Whether a repetition has no further effect. Absent: by the method, and by the path for a POST with a key. */
  readonly isRepeatable?: boolean | undefined;
}

type Content<R> = R extends { content: infer C } ? (C extends Record<string, unknown> ? C[keyof C] : null) : null;

/** The body of the response of an operation; null for one without a body. */
export type Result<O> = O extends { responses: infer R } ? Content<R[(200 | 201 | 202 | 204) & keyof R]> : never;

/** An item of a list: of an array, or of the one array in an object with `next_cursor`. */
export type Item<T> = T extends readonly (infer I)[]
  ? I
  : T extends { next_cursor: unknown }
    ? { [K in keyof T]: T[K] extends readonly (infer I)[] ? I : never }[keyof T]
    : never;
