// @ts-check
/** The queue of uploads. */
import { BASE, getJson, limits } from './api.js';
import { checkFile } from './file-check.js';
import { Problem } from './problem.js';
import { session } from './session.js';

const AT_ONCE = 2;
const SPEED_EVERY_MS = 250;
const LONGEST_PAUSE_S = 60;

/**
 * `pausing`: the last try failed, and the next one begins by itself.
 * @typedef {'waiting' | 'checking' | 'sending' | 'finishing' | 'pausing' | 'done' | 'failed' | 'cancelled'} State
 */
/** @typedef {import('./api.js').Recording} Recording */

/** One file on its way. Its Idempotency-Key is the same in all tries, so that the service stores it once. */
export class Upload {
  /** @type {State} */
  state = 'waiting';
  sentBytes = 0;
  bytesPerS = 0;
  tries = 0;
  /** @type {Problem | null} why the last try failed */
  problem = null;
  /** @type {Recording | null} */
  recording = null;
  key = newKey();
  abort = new AbortController();

  /**
   * @param {Blob} file
   * @param {string} name of the file
   * @param {{title?: string, onstored?: (recording: Recording) => void}} [options]
   */
  constructor(file, name, { title = '', onstored } = {}) {
    this.file = file;
    this.name = name;
    this.title = title;
    this.onstored = onstored;
  }

  /** Infinity as long as the speed is not known. */
  get leftS() {
    return this.bytesPerS ? (this.file.size - this.sentBytes) / this.bytesPerS : Infinity;
  }

  get isOpen() {
    return !['done', 'failed', 'cancelled'].includes(this.state);
  }
}

/** Sends `change` with an upload in `detail` whenever one changes, and `stored` when the service has acknowledged one. */
class Uploads extends EventTarget {
  /** @type {Upload[]} oldest first */
  all = [];

  #userId = session.user?.id;

  constructor() {
    super();
    addEventListener('beforeunload', (event) => {
      if (this.all.some((upload) => upload.isOpen)) event.preventDefault();
    });
    addEventListener('online', () => this.all.filter(({ state }) => state === 'pausing').forEach((u) => this.retry(u)));
    session.addEventListener('change', () => this.#dropAllOfOthers());
  }

  /** @param {Upload} upload */
  add(upload) {
    this.all.push(upload);
    this.#to(upload, 'waiting');
    this.#begin();
  }

  /** @param {Upload} upload */
  cancel(upload) {
    this.#to(upload, 'cancelled');
    upload.abort.abort();
  }

  /** Tries again at once. @param {Upload} upload */
  retry(upload) {
    this.#to(upload, 'waiting');
    this.#begin();
  }

  /** Takes an upload that has ended from the list. @param {Upload} upload */
  remove(upload) {
    this.all = this.all.filter((other) => other !== upload);
    this.#changed(upload);
  }

  /** The uploads of a user who has signed out would be stored as those of the next one. */
  #dropAllOfOthers() {
    if (session.user?.id === this.#userId) return;
    this.#userId = session.user?.id;
    for (const upload of this.all) {
      if (upload.isOpen) this.cancel(upload);
      this.remove(upload);
    }
  }

  #begin() {
    const busy = this.all.filter(({ state }) => ['checking', 'sending', 'finishing'].includes(state)).length;
    const waiting = this.all.filter(({ state }) => state === 'waiting');
    for (const upload of waiting.slice(0, Math.max(0, AT_ONCE - busy))) this.#try(upload);
  }

  /** @param {Upload} upload */
  async #try(upload) {
    upload.tries += 1;
    upload.problem = null;
    upload.sentBytes = upload.bytesPerS = 0;
    upload.abort = new AbortController();
    const { signal } = upload.abort;
    try {
      this.#to(upload, 'checking');
      await this.#check(upload);
      this.#to(upload, 'sending');
      upload.recording = await this.#send(upload, signal);
      this.#to(upload, 'done');
      upload.onstored?.(upload.recording);
      this.dispatchEvent(new CustomEvent('stored', { detail: upload }));
    } catch (error) {
      if (!signal.aborted) this.#failed(upload, error instanceof Problem ? error : new Problem('file-unreadable'));
    }
    this.#begin();
  }

  /** Throws Problem if the service would refuse the upload: it says so only after it has received much of it. */
  async #check(/** @type {Upload} */ { file, abort }) {
    const problem = await checkFile(file, await limits());
    if (problem) throw problem;
    await getJson('users/me', { signal: abort.signal });
    abort.signal.throwIfAborted();
  }

  /**
   * Sends the file in one request. By XMLHttpRequest, because fetch does not report the progress of an upload.
   * @param {Upload} upload
   * @param {AbortSignal} signal
   * @returns {Promise<Recording>}
   */
  #send(upload, signal) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open('POST', uploadUrl(upload));
      request.setRequestHeader('Authorization', `Bearer ${session.user?.token}`);
      request.setRequestHeader('Content-Type', 'audio/wav');
      request.setRequestHeader('Idempotency-Key', `"${upload.key}"`);
      request.upload.onprogress = this.#measure(upload);
      request.upload.onload = () => this.#to(upload, 'finishing');
      request.onload = () => {
        if (request.status === 201) resolve(JSON.parse(request.responseText));
        else reject(Problem.of(request.status, request.responseText, request.getResponseHeader('Retry-After')));
      };
      request.onerror = () => reject(upload.sentBytes ? new Problem('connection-lost', { status: 0 }) : Problem.offline());
      signal.addEventListener('abort', () => {
        request.abort();
        reject(signal.reason);
      });
      request.send(upload.file);
    });
  }

  /** A listener that notes the bytes that were sent, and their speed as a moving average. @param {Upload} upload */
  #measure(upload) {
    let [lastMs, lastBytes] = [performance.now(), 0];
    return (/** @type {ProgressEvent} */ { loaded }) => {
      const passedMs = performance.now() - lastMs;
      upload.sentBytes = loaded;
      if (passedMs < SPEED_EVERY_MS) return;
      const bytesPerS = ((loaded - lastBytes) / passedMs) * 1000;
      upload.bytesPerS = upload.bytesPerS ? 0.7 * upload.bytesPerS + 0.3 * bytesPerS : bytesPerS;
      [lastMs, lastBytes] = [lastMs + passedMs, loaded];
      this.#changed(upload);
    };
  }

  /** Tries again by itself, after a pause, if that can help. @param {Upload} upload @param {Problem} problem */
  #failed(upload, problem) {
    upload.problem = problem;
    if (!problem.isTemporary) {
      this.#to(upload, 'failed');
      return;
    }
    this.#to(upload, 'pausing');
    const pauseS = problem.retryAfterS ?? Math.min(2 ** upload.tries, LONGEST_PAUSE_S);
    const { tries } = upload;
    setTimeout(() => {
      if (upload.state === 'pausing' && upload.tries === tries) this.retry(upload);
    }, pauseS * 1000);
  }

  /** @param {Upload} upload @param {State} state */
  #to(upload, state) {
    upload.state = state;
    this.#changed(upload);
  }

  /** @param {Upload} upload */
  #changed(upload) {
    this.dispatchEvent(new CustomEvent('change', { detail: upload }));
  }
}

export const uploads = new Uploads();

/** @param {Upload} upload */
function uploadUrl({ name, title }) {
  const url = new URL('records', BASE);
  url.searchParams.set('filename', name);
  if (title) url.searchParams.set('title', title);
  return url;
}

/** 128 random bits. Over plain http, browsers have no randomUUID. */
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
