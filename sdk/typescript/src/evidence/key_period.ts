/**
 * The period in which a published key signs, and whether it was withdrawn, as the list of published keys states it.
 *
 * A withdrawn key may be in the hands of a thief, who can state any time in a record. So none of its signatures proves
 * anything alone, also one that states a time before the withdrawal. What a list does not state is no limit.
 */
import { type JsonObject, NotUsable } from "./strict_json.js";

/** The period in which a key signs, in µs since 1970. Null: no limit is stated at this end. */
export interface KeyPeriod {
  readonly notBeforeUs: number | null;
  readonly notAfterUs: number | null;
  readonly isWithdrawn: boolean;
}

/** Tolerance of both ends: a process signs with the former key for some seconds after a rotation, and clocks differ. */
const TOLERANCE_US = 300e6;
const TIME = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

/** Read the period of a published key. Throws `NotUsable` for a member that is malformed. */
export function readPeriod(key: JsonObject): KeyPeriod {
  const status = key.status ?? null;
  if (status !== null && typeof status !== "string") throw new NotUsable("in one of its keys, status is not text");
  return { notBeforeUs: limit(key, "not_before"), notAfterUs: limit(key, "not_after"), isWithdrawn: status === "withdrawn" };
}

/** Return whether a signature that states this time (RFC 3339) is of the period. Text that is no time is of no period. */
export function includes({ notBeforeUs, notAfterUs }: KeyPeriod, signedAt: string): boolean {
  if (notBeforeUs === null && notAfterUs === null) return true;
  const atUs = microseconds(signedAt);
  if (atUs === null) return false;
  return (
    (notBeforeUs === null || notBeforeUs - atUs <= TOLERANCE_US) && (notAfterUs === null || atUs - notAfterUs <= TOLERANCE_US)
  );
}

function limit(key: JsonObject, name: string): number | null {
  const text = key[name] ?? null;
  if (text === null) return null;
  const at = typeof text === "string" ? microseconds(text) : null;
  if (at === null) throw new NotUsable(`in one of its keys, ${name} is not a time`);
  return at;
}

/** Return RFC 3339 text as µs since 1970, null if it is none. */
function microseconds(text: string): number | null {
  const found = TIME.exec(text);
  if (found === null) return null;
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number) as [number, number, number, number, number, number];
  const [fraction = "", sign = "+", hours = "0", minutes = "0"] = found.slice(7);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const isDate = year > 0 && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  if (!isDate || hour > 23 || minute > 59 || second > 59 || Number(hours) > 23 || Number(minutes) > 59) return null;
  const offsetMinutes = (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
  const atS = date.getTime() / 1000 + (hour * 60 + minute - offsetMinutes) * 60 + second;
  return atS * 1e6 + Number(fraction.padEnd(6, "0").slice(0, 6));
}
