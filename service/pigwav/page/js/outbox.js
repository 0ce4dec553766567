// @ts-check
/** Sends recordings that are on this device, and goes on after a reload until the service has acknowledged them. */
import { claim, discardKept, openKept } from './kept.js';
import { session } from './session.js';
import { Upload, uploads } from './uploads.js';

/** @typedef {{user: number, title: string, isDraft?: boolean}} Entry a draft waits until its owner sends it */
/** @typedef {import('./kept.js').Claim} Claim */
/** @typedef {{upload: Upload, claim: Claim}} Sending */

const KEY = 'pigwav.outbox';

/**
 * What was sent and not acknowledged yet, and the titles of drafts. It is kept in localStorage; a recording that is
 * forgotten there is still on the device, and its owner can send it again. The queue of uploads waits and tries again.
 * Event: `change`.
 */
class Outbox extends EventTarget {
  /** What this tab sends, by the recording's name. @type {Map<string, Sending>} */
  #sending = new Map();

  constructor() {
    super();
    uploads.addEventListener('change', (event) => this.#uploadChanged(/** @type {CustomEvent} */ (event).detail));
    session.addEventListener('change', () => this.sendAll());
    // The tab that sent them may have been closed.
    document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && this.sendAll());
  }

  /** @param {string} name @returns {Entry | undefined} */
  entry(name) {
    return entries()[name];
  }

  /** Keeps what its owner has typed, whatever happens before it is sent. @param {Claim} draft @param {string} title */
  keepTitle({ user, name }, title) {
    remember(name, { user, title, isDraft: true });
  }

  /** @param {string} name of a recording that is no longer on this device */
  forget(name) {
    forget(name);
  }

  /** Whether this tab sends it as soon as the service answers again. @param {string} name */
  isWaiting(name) {
    return this.#sending.get(name)?.upload.state === 'pausing';
  }

  /**
   * Sends a recording that this tab has claimed. The claim is released at the end.
   * @param {Claim} recording
   * @param {string} title
   */
  async send(recording, title) {
    const { user, name } = recording;
    remember(name, { user, title });
    try {
      const { file } = await openKept(user, name);
      const upload = new Upload(file, name, { title });
      upload.key = name; // the same after a reload and in another tab, so that the service stores it once
      this.#sending.set(name, { upload, claim: recording });
      uploads.add(upload);
    } catch {
      // Another tab has discarded it, or the browser has cleared its storage.
      forget(name);
      recording.release();
    }
  }

  /** Sends what the signed-in user has sent and no tab is sending. */
  async sendAll() {
    const user = session.user?.id;
    for (const [name, entry] of Object.entries(entries())) {
      const recording = entry.user === user && !entry.isDraft ? await claim(entry.user, name) : null;
      if (recording) await this.send(recording, entry.title);
    }
  }

  /** An upload's key is the recording's name. @param {Upload} upload */
  async #uploadChanged(upload) {
    const sending = this.#sending.get(upload.key);
    if (!sending) return;
    if (upload.state === 'done') await this.#acknowledged(sending.claim);
    else if (upload.state === 'failed' || upload.state === 'cancelled') this.#giveBack(sending.claim, upload.title);
    this.dispatchEvent(new Event('change'));
  }

  /** @param {Claim} recording */
  async #acknowledged(recording) {
    await discardKept(recording.user, recording.name);
    this.#sending.delete(recording.name);
    forget(recording.name);
    recording.release();
  }

  /**
   * It was not sent, so its owner must look at it. The upload is still known, because it can be tried again from the
   * list of uploads.
   * @param {Claim} recording
   * @param {string} title
   */
  #giveBack(recording, title) {
    this.keepTitle(recording, title);
    recording.release();
  }
}

/** @returns {Record<string, Entry>} by the recording's name */
function entries() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '{}');
  } catch {
    return {}; // not written by this page
  }
}

/** @param {string} name @param {Entry} entry */
const remember = (name, entry) => localStorage.setItem(KEY, JSON.stringify({ ...entries(), [name]: entry }));

/** @param {string} name */
function forget(name) {
  const { [name]: _, ...others } = entries();
  if (Object.keys(others).length) localStorage.setItem(KEY, JSON.stringify(others));
  else localStorage.removeItem(KEY);
}

export const outbox = new Outbox();
