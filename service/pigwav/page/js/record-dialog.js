// @ts-check
import { limits } from './api.js';
import { button, h, icon, iconButton } from './dom.js';
import { addTexts, clock, lang, t } from './i18n.js';
import { claim, discardKept } from './kept.js';
import './kept-list.js';
import { LevelPicture } from './level-picture.js';
import { outbox } from './outbox.js';
import { Recorder, canRecord, isSecure } from './recorder.js';
import { Review } from './review.js';
import { session } from './session.js';
import { toast } from './toast.js';
import { SAMPLE_BYTES } from './wav.js';

addTexts((await import(`../i18n/record.${lang}.js`)).default);

const UNDO_MS = 6000;
const FEW_HOURS = 20;
const METER_DECAY = 0.8; // of what it showed a tenth of a second ago, or short sounds are not seen
const TYPICAL_BYTES_PER_S = 48_000 * SAMPLE_BYTES;

/** What getUserMedia refuses with, by the error's name. */
const REFUSALS = new Map([
  ['NotAllowedError', 'rec.not-allowed'],
  ['NotFoundError', 'rec.no-microphone'],
  ['OverconstrainedError', 'rec.no-microphone'],
  ['NotReadableError', 'rec.microphone-busy'],
  ['QuotaExceededError', 'rec.full'],
]);

/** `<pw-record>`: the list of recordings that are not sent yet, and the dialog that records and reviews. */
export class RecordDialog extends HTMLElement {
  #recorder = new Recorder();
  /** What the dialog shows, from the first sample until it is sent or left. @type {import('./kept.js').Claim | null} */
  #claim = null;
  #review = new Review();
  #picture = new LevelPicture();
  #says = h('p', { class: 'says', role: 'status' });
  #timer = h('p', { class: 'timer', role: 'timer' });
  #meter = h('meter', { min: 0, max: 1, low: 0.02, high: 0.98, optimum: 0.5, 'aria-label': t('rec.level') });
  #body = h('div', { class: 'body' });
  #dialog = h(
    'dialog',
    { class: 'recorder', 'aria-labelledby': 'recorder-title' },
    h('h2', { id: 'recorder-title' }, t('rec.title')),
    iconButton('x', t('close'), () => this.#leave(), { class: 'icon-button corner' }),
    this.#says,
    this.#body,
  );

  constructor() {
    super();
    this.#dialog.addEventListener('cancel', (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#leave();
    });
    this.#dialog.addEventListener('close', () => this.#release());
    this.#recorder.addEventListener('state', () => this.#showState());
    this.#recorder.addEventListener('progress', () => this.#showTimer());
    this.#recorder.addEventListener('level', (event) => this.#showLevel(/** @type {CustomEvent} */ (event).detail));
    this.#recorder.addEventListener('interrupted', (event) => this.#interrupted(/** @type {CustomEvent} */ (event).detail));
    this.#review.addEventListener('title', (event) => this.#keepTitle(/** @type {CustomEvent} */ (event).detail));
    this.#review.addEventListener('send', (event) => this.#send(/** @type {CustomEvent} */ (event).detail));
    this.#review.addEventListener('discard', () => this.#discard());
  }

  connectedCallback() {
    const list = h('pw-kept');
    list.addEventListener('open', (/** @type {CustomEvent} */ { detail }) => this.review(detail));
    this.replaceChildren(list, this.#dialog);
    addEventListener('beforeunload', this.#warn);
    outbox.sendAll();
  }

  disconnectedCallback() {
    removeEventListener('beforeunload', this.#warn);
    this.#leave();
  }

  /** Opens the dialog, ready to record. */
  async open() {
    if (this.#dialog.open) return;
    this.#picture.clear();
    this.#says.textContent = t(problemHere() ?? 'rec.ready');
    this.#dialog.showModal();
    this.#ready();
    await Promise.all([this.#showRoom(), this.#learnLimits()]);
  }

  /** Opens the dialog with a recording that is on this device. @param {string} name */
  async review(name) {
    const user = session.user?.id;
    if (user === undefined || this.#dialog.open) return;
    this.#claim = await claim(user, name);
    if (!this.#claim) {
      toast(t('rec.taken'));
      return;
    }
    this.#says.textContent = t('rec.review');
    this.#dialog.showModal();
    await this.#showReview();
  }

  /** @param {BeforeUnloadEvent} event */
  #warn = (event) => {
    if (this.#isLive) event.preventDefault();
  };

  get #isLive() {
    return this.#recorder.state === 'recording' || this.#recorder.state === 'paused';
  }

  #ready() {
    this.#dialog.dataset.state = 'idle';
    if (problemHere()) {
      this.#body.replaceChildren();
      return;
    }
    const start = h('button', { type: 'button', class: 'record', 'aria-label': t('rec.start'), title: t('rec.start') });
    start.addEventListener('click', () => this.#start(start));
    this.#timer.textContent = clock(0);
    this.#body.replaceChildren(this.#timer, this.#picture.canvas, h('div', { class: 'row' }, start));
    start.focus();
  }

  async #showRoom() {
    const { quota = 0, usage = 0 } = (await navigator.storage?.estimate?.()) ?? {};
    const hours = (quota - usage) / TYPICAL_BYTES_PER_S / 3600;
    if (problemHere() || hours >= FEW_HOURS || this.#dialog.dataset.state !== 'idle') return;
    this.#says.textContent = t('rec.room', { hours: hours.toFixed(hours < 1 ? 1 : 0) });
  }

  /** A recording that the service would refuse ends in time. Without an answer nothing is limited: it is kept anyway. */
  async #learnLimits() {
    try {
      const { max_duration_s: seconds, max_upload_bytes: bytes } = await limits();
      this.#recorder.limits = { longestMs: 1000 * seconds, largestBytes: bytes };
    } catch {
      // The service does not answer; recording does not need it.
    }
  }

  /** @param {HTMLButtonElement} pressed */
  async #start(pressed) {
    const user = session.user?.id;
    if (user === undefined) return;
    pressed.disabled = true; // a second press would ask for a second microphone
    this.#says.textContent = t('rec.asking');
    try {
      await this.#recorder.start(user);
    } catch (error) {
      const { name } = /** @type {Error} */ (error);
      this.#says.textContent = t(REFUSALS.get(name) ?? 'rec.failed', { reason: name });
      pressed.disabled = false;
      pressed.focus();
      return;
    }
    if (!this.#dialog.open) await this.#recorder.stop(); // closed while the browser asked
  }

  async #showState() {
    const { state } = this.#recorder;
    this.#dialog.dataset.state = state;
    if (state === 'recording' || state === 'paused') this.#showLive(state);
    if (state !== 'stopped') return;
    this.#claim = this.#recorder.claim;
    if (!this.#dialog.open) this.#release();
    else await this.#showReview();
  }

  /** @param {'recording' | 'paused'} state */
  #showLive(state) {
    const isPaused = state === 'paused';
    this.#says.textContent = t(`rec.${state}`);
    const hold = isPaused
      ? button(t('rec.resume'), () => this.#recorder.resume(), { icon: 'mic' })
      : button(t('rec.pause'), () => this.#recorder.pause(), { icon: 'pause' });
    const stop = button(t('rec.stop'), () => this.#stop(), { kind: 'primary', icon: 'check' });
    const buttons = h('div', { class: 'row' }, hold, stop);
    this.#body.replaceChildren(this.#timer, this.#picture.canvas, this.#meter, buttons);
    hold.focus();
  }

  async #stop() {
    this.#says.textContent = t('rec.review');
    await this.#recorder.stop();
  }

  async #showReview() {
    const { user, name } = /** @type {import('./kept.js').Claim} */ (this.#claim);
    this.#dialog.dataset.state = 'stopped';
    this.#body.replaceChildren(this.#review.element);
    await this.#review.open(user, name, outbox.entry(name)?.title);
  }

  #showTimer() {
    this.#timer.textContent = clock(this.#recorder.durationMs);
  }

  /** @param {number} peak */
  #showLevel(peak) {
    this.#meter.value = Math.max(peak, METER_DECAY * this.#meter.value);
    if (this.#recorder.state === 'recording') this.#picture.add(peak);
  }

  /** @param {import('./recorder.js').Interruption} reason */
  #interrupted(reason) {
    this.#says.textContent = t(`rec.${reason}`);
  }

  /** @param {string} title */
  #keepTitle(title) {
    if (this.#claim) outbox.keepTitle(this.#claim, title);
  }

  /** @param {string} title */
  async #send(title) {
    const recording = this.#claim;
    this.#claim = null; // the outbox has it now
    this.#dialog.close();
    if (recording) await outbox.send(recording, title);
  }

  /** The recording is nowhere else, so it is deleted only when nobody has taken that back. */
  #discard() {
    const recording = this.#claim;
    this.#claim = null;
    this.#dialog.close();
    if (!recording) return;
    toast(t('rec.discarded'), {
      action: t('rec.undo'),
      onaction: () => recording.release(),
      onexpire: async () => {
        await discardKept(recording.user, recording.name);
        outbox.forget(recording.name);
        recording.release();
      },
      ms: UNDO_MS,
    });
  }

  /** Leaves the dialog. What was recorded stays on the device, and the list says so. */
  async #leave() {
    if (this.#dialog.open) this.#dialog.close();
    if (this.#isLive) await this.#recorder.stop();
  }

  #release() {
    this.#review.close();
    this.#claim?.release();
    this.#claim = null;
  }
}
customElements.define('pw-record', RecordDialog);

/** Why nothing can be recorded here, as a key of a text; null if it can. */
function problemHere() {
  if (!isSecure()) return 'rec.insecure';
  return canRecord() ? null : 'rec.old-browser';
}
