/** The error of a check that cannot be made, and its sentences. */
import { ArgusError } from "../errors.js";
import { NotUsable } from "./strict_json.js";

/** `record_unknown`: a hash was given of the content after a record that the transcript does not have. */
export type EvidenceFault =
  | "transcript_malformed" | "keys_malformed" | "identity_malformed" | "content_hash_malformed" | "record_unknown";

/** The check cannot be made: a document is not in the form of the API, or what is expected can fit no transcript. */
export class EvidenceUnusable extends ArgusError {
  override readonly name = "EvidenceUnusable";
  declare readonly code: EvidenceFault;

  /** `reason` is the part of `detail` that follows the colon: a sentence without capital letter and full stop. */
  constructor(code: EvidenceFault, detail: string, readonly reason: string = detail) {
    super({ code, detail });
  }
}

const SUBJECTS = {
  transcript_malformed: "This is not a transcript of evidence",
  keys_malformed: "This is not a document of published keys",
};

/** Return what `action` returns, and name what cannot be used in its error. */
export function usable<T>(code: keyof typeof SUBJECTS, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof NotUsable) throw new EvidenceUnusable(code, `${SUBJECTS[code]}: ${error.message}.`, error.message);
    throw error;
  }
}
