/** When a turn that was refused is sent again. */

/** Longest wait that is added to what the server asked for. */
const BACKOFF_MAX_MS = 5000;
const BACKOFF_FIRST_MS = 100;
/** For how long a turn is sent again that has no deadline of its own. */
export const RESEND_FOR_MS = 30_000;

/**
 * How long to wait before the next sending: what the server asked for, and a
 * random part of a time that doubles, so that those who were refused together do
 * not come back together. `undefined` when that would be too late.
 *
 * @param sent how often it was sent already
 * @param leftMs until it must have been sent
 * @param random from 0 up to 1
 */
export function delayMs(
  sent: number,
  retryAfterMs: number,
  leftMs: number,
  random: number,
): number | undefined {
  const most = Math.min(BACKOFF_FIRST_MS * 2 ** (sent - 1), BACKOFF_MAX_MS);
  const delay = retryAfterMs + random * most;
  return delay < leftMs ? delay : undefined;
}
