/** Jobs: start one, wait for its end, read its result. */
import { secureUrl } from "./addresses.js";
import type { Argus } from "./client.js";
import { JobFailed, JobWaitExceeded, ResponseUnusable } from "./errors.js";
import type { Keyed, QueryOf, Schemas, Sending } from "./operations.js";
import type { Transport } from "./transport.js";

export type Job = Schemas["JobShown"];
export type JobResult = Schemas["JobResultShown"];

export interface Waiting {
  /** Pause between two polls. */
  readonly pollS?: number;
  /** Time after which the wait ends with an error. The job goes on. */
  readonly limitS?: number;
  readonly signal?: AbortSignal;
  /** Is called with each state of the job. */
  readonly onProgress?: (job: Job) => void;
}

const POLL_S = 2;
const LIMIT_S = 3600;

export class Jobs {
  constructor(private readonly argus: Argus, private readonly transport: Transport) {}

  /** Start a job. With an `idempotencyKey` it may be repeated, and there is one job. */
  start(job: Schemas["JobWanted"], sending: Sending & Keyed = {}): Promise<Schemas["JobQueued"]> {
    return this.argus.request("POST", "/v1/jobs", { ...sending, body: job });
  }

  /** Return the jobs of the organisation, or of the tenant if the app has no organisation, newest first. */
  list(query: QueryOf<"GET", "/v1/jobs"> = {}, sending: Sending = {}) {
    return this.argus.list("/v1/jobs", { ...sending, query });
  }

  /** Return a job: its status, its progress and the reason of a failure. */
  read(id: string, sending: Sending = {}): Promise<Job> {
    return this.argus.request("GET", "/v1/jobs/{id}", { ...sending, path: { id } });
  }

  /** Poll a job until it has succeeded. Throws `JobFailed` if it failed or was cancelled, and `JobWaitExceeded`
   * if it has not ended after `limitS`. */
  async wait(id: string, { pollS = POLL_S, limitS = LIMIT_S, signal, onProgress }: Waiting = {}): Promise<Job> {
    const endS = this.transport.clock.monotonicS() + limitS;
    for (;;) {
      const job = await this.read(id, signal === undefined ? {} : { signal });
      onProgress?.(job);
      if (job.status === "succeeded") return job;
      if (job.status === "failed" || job.status === "cancelled") throw new JobFailed(job);
      const leftS = endS - this.transport.clock.monotonicS();
      if (leftS <= 0) throw new JobWaitExceeded(job, limitS);
      await this.transport.clock.sleep(Math.min(pollS, leftS), signal);
    }
  }

  /** Return where the result of a job is. `signed_url` suffices to read it for five minutes, so treat it as a secret.
   * Throws `ResponseUnusable` with `result_pending` before its end, and `ApiError` with 410 if the result has expired. */
  async result(id: string): Promise<JobResult> {
    const result = await this.argus.request("GET", "/v1/jobs/{id}/result", { path: { id } });
    if ("signed_url" in result) return result;
    throw new ResponseUnusable({ code: "result_pending", detail: "The job has not ended. Wait for it first." });
  }

  /** Read the result of a job, such as a file of an export, as it arrives, and return what `read` returns. `read` is called
   * again from the beginning if the connection was lost. */
  async readResult<T>(
    id: string, read: (chunks: AsyncIterable<Uint8Array>) => Promise<T>, options: { signal?: AbortSignal } = {},
  ): Promise<T> {
    const url = secureUrl((await this.result(id)).signed_url); // it needs no token
    return this.transport.send({ method: "GET", url, headers: new Headers(), isRepeatable: true, ...options }, read);
  }

  /** Cancel a job; also if it was cancelled before. Throws `ApiError` with status 409 if it has ended by itself. */
  async cancel(id: string): Promise<void> {
    await this.argus.request("DELETE", "/v1/jobs/{id}", { path: { id } });
  }
}
