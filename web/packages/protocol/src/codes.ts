/**
 * Every number that tells a client what went wrong. Owns the two tables of the reference
 * (sections 8 and 9). Rule: ranges mean something; a client never needs to know a single code.
 */

/** WebSocket close codes of ours. */
export const Close = {
  SHUTDOWN: 3000,
  MOVED: 3001,
  OVERLOADED: 3002,
  SLOW: 3008,
  SILENT: 3009,
  REPLACED: 3010,
  STORAGE: 3011,
  BAD_TOKEN: 3500,
  BANNED: 3501,
  NO_HELLO: 3502,
  VERSION: 3503,
  MALFORMED: 3504,
  TOO_LARGE: 3505,
  FLOODING: 3506,
  SIGNED_OUT: 3507,
} as const;

/** Codes of `error` frames: the request failed, the connection lives on. */
export const Code = {
  INTERNAL: 100,
  STORAGE_FULL: 101,
  BAD_FRAME: 110,
  NOT_YOURS: 111,
  BAD_BODY: 112,
  HOLE: 113,
  NOT_ALLOWED: 114,
  NOT_NOW: 115,
  OWNED: 116,
  TOO_MANY: 117,
  OUT_OF_ORDER: 118,
} as const;

/** Should a client reconnect after this close code? True for 3000–3499 and all foreign codes. */
export function comesBack(close: number): boolean {
  return close < 3500 || close > 3999;
}
