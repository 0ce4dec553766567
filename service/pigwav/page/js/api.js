// @ts-check
/** Calls of the HTTP API. */
import { Problem } from './problem.js';
import { session } from './session.js';

/** The service's address: two folders above this file, whatever path prefix a proxy adds. */
export const BASE = new URL('../../', import.meta.url);

/** @typedef {{code: string, detail: string, value: number | null, unit: string | null}} Warning */
/** @typedef {{loudness_lufs: number | null, longest_silence_ms: number, silent_share: number}} Levels */
/**
 * @typedef {object} Recording
 * @property {string} id
 * @property {number} user
 * @property {string | null} title
 * @property {string} created_at
 * @property {number} duration_ms
 * @property {number} bytes
 * @property {number} bitrate_kbps
 * @property {number} sample_rate_hz
 * @property {number} channels
 * @property {number | null} peak_dbfs
 * @property {Levels | null} levels
 * @property {Warning[] | null} warnings
 * @property {string | null} peaks up to 96 mean magnitudes, as base64; only in lists
 * @property {import('./peaks.js').Magnitudes | null} [magnitudes] what the page draws
 */
/** @typedef {{items: Recording[], next: string | null}} Page */
/** @typedef {{max_upload_bytes: number, max_duration_s: number, registration: 'open' | 'closed'}} Limits */

/**
 * @typedef {object} Options
 * @property {string} [method]
 * @property {unknown} [json] the body
 * @property {string | null} [token] the signed-in user's if left out
 * @property {AbortSignal} [signal]
 * @property {boolean} [keepalive] send it even if the page is left
 */

/**
 * Throws Problem if the service refuses or does not answer, and AbortError if `signal` ended the call.
 * @param {string} path
 * @param {Options} [options]
 */
export async function call(path, { method = 'GET', json, token = session.user?.token, signal, keepalive } = {}) {
  const headers = new Headers();
  if (token) headers.set('Authorization', `Bearer ${token}`);
  if (json !== undefined) headers.set('Content-Type', 'application/json');
  const body = json === undefined ? undefined : JSON.stringify(json);
  let answer;
  try {
    answer = await fetch(new URL(path, BASE), { method, headers, body, signal, keepalive });
  } catch (error) {
    throw signal?.aborted ? error : Problem.offline();
  }
  if (!answer.ok) throw Problem.of(answer.status, await answer.text(), answer.headers.get('Retry-After'));
  return answer;
}

/** @param {string} path @param {Options} [options] @returns {Promise<any>} */
export const getJson = async (path, options) => (await call(path, options)).json();

/** @type {Promise<Limits> | null} */
let limitsOnce = null;

/** What the service accepts; asked once. @returns {Promise<Limits>} */
export function limits() {
  limitsOnce ??= getJson('limits', { token: null }).catch((error) => {
    limitsOnce = null;
    throw error;
  });
  return limitsOnce;
}

/** @typedef {{id: string, user: number}} Key names a recording */

/** @param {Key} key */
export const listenUrl = ({ id, user }) => new URL(`listen?id=${id}&user=${user}`, BASE).href;
/** @param {Key} key */
export const mp3Url = ({ id, user }) => new URL(`record/${id}.mp3?user=${user}`, BASE).href;
/** @param {Key} key */
export const waveformUrl = ({ id, user }) => new URL(`record/${id}.dat?user=${user}`, BASE).href;
