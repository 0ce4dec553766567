// @ts-check
/** Recordings on this device: they stay until the service has acknowledged them, or their owner discards them. */
import { folderOf } from './kept-folder.js';
import { HEADER_BYTES, SAMPLE_BYTES, rateOf, wavHeader } from './wav.js';

/** @typedef {{user: number, name: string, release: () => void}} Claim */

const LOCKS = 'pigwav.recording/';
const MOST_WINDOWS = 256;
const WINDOW_BYTES = 4096;

/** Tells all tabs that what is kept, or which tab has it, has changed. Event: `change`. */
class KeptChanges extends EventTarget {
  #channel = 'BroadcastChannel' in globalThis ? new BroadcastChannel('pigwav.kept') : null;

  constructor() {
    super();
    this.#channel?.addEventListener('message', () => this.dispatchEvent(new Event('change')));
  }

  tell() {
    this.#channel?.postMessage('change');
    this.dispatchEvent(new Event('change'));
  }
}
export const keptChanges = new KeptChanges();

/** Whether this browser can keep recordings: not over plain http, except on this very machine. */
export const canKeep = () =>
  isSecureContext && Boolean(navigator.storage?.getDirectory) && Boolean(navigator.locks);

/** A name for a recording that begins now. It is also the key by which the service knows a second try. */
export function newName() {
  const random = crypto.randomUUID().slice(0, 8);
  return `${new Date().toISOString().replaceAll(':', '-')}.${random}.wav`;
}

/**
 * When a recording began.
 * @param {string} name
 */
export const startedAt = (name) => name.slice(0, 24).replace(/T(\d\d)-(\d\d)-/, 'T$1:$2:');

/**
 * Names of the user's recordings on this device, oldest first.
 * @param {number} user
 */
export async function keptNames(user) {
  if (!canKeep()) return [];
  const names = [];
  for await (const name of (await folderOf(user)).keys()) names.push(name);
  return names.sort();
}

/** Names that this tab has claimed. @type {Set<string>} */
const claimed = new Set();

/** @param {string} name */
export const isClaimedHere = (name) => claimed.has(name);

/** Names of the recordings that some tab has claimed: it records, shows or sends them. */
export async function claimedNames() {
  const { held = [] } = await navigator.locks.query();
  const locks = held.map((lock) => lock.name ?? '').filter((lock) => lock.startsWith(LOCKS));
  return new Set(locks.map((lock) => lock.split('/')[2]));
}

/**
 * Takes a recording for this tab until `release()`, or until the tab ends in whatever way. Null if another tab has it.
 * @param {number} user
 * @param {string} name
 * @returns {Promise<Claim | null>}
 */
export function claim(user, name) {
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(`${LOCKS}${user}/${name}`, { ifAvailable: true }, (lock) => {
        if (!lock) return resolve(null);
        claimed.add(name);
        keptChanges.tell();
        return new Promise((release) => resolve({ user, name, release: () => release(undefined) }));
      })
      .then(() => {
        if (claimed.delete(name)) keptChanges.tell();
      })
      .catch(reject);
  });
}

/**
 * Resolves when no tab has the recording, in whatever way the tab that had it ended.
 * @param {number} user
 * @param {string} name
 */
export async function isFree(user, name) {
  await navigator.locks.request(`${LOCKS}${user}/${name}`, { mode: 'shared' }, () => {});
}

/**
 * A kept recording as a whole WAV. If the browser died while it was recorded, the header is mended from the file's size.
 * @param {number} user
 * @param {string} name
 */
export async function openKept(user, name) {
  const stored = await (await (await folderOf(user)).getFileHandle(name)).getFile();
  const rate = rateOf(await stored.slice(0, HEADER_BYTES).arrayBuffer());
  const samples = Math.floor((stored.size - HEADER_BYTES) / SAMPLE_BYTES);
  const dataBytes = samples * SAMPLE_BYTES;
  const audio = stored.slice(HEADER_BYTES, HEADER_BYTES + dataBytes);
  const file = new File([wavHeader(rate, dataBytes), audio], name, { type: 'audio/wav' });
  return { file, durationMs: (samples / rate) * 1000 };
}

/**
 * Whether a kept recording holds no audio: the browser died before the first block.
 * @param {number} user
 * @param {string} name
 */
export async function isEmpty(user, name) {
  const file = await (await (await folderOf(user)).getFileHandle(name)).getFile();
  return file.size < HEADER_BYTES + SAMPLE_BYTES;
}

/**
 * Deletes a recording from this device.
 * @param {number} user
 * @param {string} name
 */
export async function discardKept(user, name) {
  await (await folderOf(user)).removeEntry(name);
  keptChanges.tell();
}

/**
 * What a waveform shows of a WAV of ours: the peaks of short windows, spread evenly, so that an hour costs no more than
 * a minute.
 * @param {File} file
 * @returns {Promise<import('./peaks.js').Magnitudes>}
 */
export async function magnitudesOf(file) {
  const audioBytes = file.size - HEADER_BYTES;
  const windows = Math.max(1, Math.min(MOST_WINDOWS, Math.floor(audioBytes / WINDOW_BYTES)));
  const magnitudes = new Uint8Array(windows);
  for (let i = 0; i < windows; i++) {
    const firstSample = Math.floor((i * audioBytes) / windows / SAMPLE_BYTES);
    const from = HEADER_BYTES + firstSample * SAMPLE_BYTES;
    const samples = new Int16Array(await file.slice(from, from + WINDOW_BYTES).arrayBuffer());
    magnitudes[i] = samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0) >> 8;
  }
  return magnitudes;
}
