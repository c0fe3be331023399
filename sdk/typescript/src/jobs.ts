/** Jobs: start one, wait for its end, read its result. */
import { secureUrl } from "./addresses.js";
import type { Argus } from "./client.js";
import { ArgusError, JobFailed } from "./errors.js";
import type { Keyed, Schemas, Sending } from "./operations.js";
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

  /** Poll a job until it has succeeded. Throws `JobFailed` if it failed or was cancelled, and `ArgusError` with
   * `job_wait_exceeded` after `limitS`. */
  async wait(id: string, { pollS = POLL_S, limitS = LIMIT_S, signal, onProgress }: Waiting = {}): Promise<Job> {
    const endS = this.transport.clock.monotonicS() + limitS;
    for (;;) {
      const job = await this.argus.request("GET", "/v1/jobs/{id}", { path: { id }, ...(signal && { signal }) });
      onProgress?.(job);
      if (job.status === "succeeded") return job;
      if (job.status === "failed" || job.status === "cancelled") throw new JobFailed(job);
      const leftS = endS - this.transport.clock.monotonicS();
      if (leftS <= 0) {
        const detail = `The job has not ended after ${limitS} s. It goes on: wait again, or cancel it.`;
        throw new ArgusError({ code: "job_wait_exceeded", detail, traceId: job.trace_id });
      }
      await this.transport.clock.sleep(Math.min(pollS, leftS), signal);
    }
  }

  /** Return where the result of a job is. `signed_url` suffices to read it for five minutes, so treat it as a secret.
   * Throws `ArgusError`: `result_pending` before its end, status 410 after the result was deleted. */
  async result(id: string): Promise<JobResult> {
    const result = await this.argus.request("GET", "/v1/jobs/{id}/result", { path: { id } });
    if ("signed_url" in result) return result;
    throw new ArgusError({ code: "result_pending", detail: `The job is ${result.status}. Wait for it first.`, status: 202 });
  }

  /** Read the result of a job, such as a file of an export, as it arrives, and return what `read` returns. `read` is called
   * again from the beginning if the connection was lost. */
  async readResult<T>(
    id: string, read: (chunks: AsyncIterable<Uint8Array>) => Promise<T>, options: { signal?: AbortSignal } = {},
  ): Promise<T> {
    const url = secureUrl((await this.result(id)).signed_url); // it needs no token
    return this.transport.send({ method: "GET", url, headers: new Headers(), isRepeatable: true, ...options }, read);
  }

  /** Cancel a job. Throws `ArgusError` with status 409 if it has ended by itself. */
  async cancel(id: string): Promise<void> {
    await this.argus.request("DELETE", "/v1/jobs/{id}", { path: { id } });
  }
}
