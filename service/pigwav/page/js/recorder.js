// @ts-check
import { claim, newName } from './kept.js';
import { HEADER_BYTES, SAMPLE_BYTES } from './wav.js';

/** @typedef {'idle' | 'recording' | 'paused' | 'stopped'} State */
/** @typedef {'full' | 'unwritable' | 'microphone-lost' | 'suspended' | 'too-long'} Interruption */

const CLOSE_WITHIN_MS = 2000;

/** As the speaker sounds, but loud enough: filters that are made for calls cut into music and speech. */
const MICROPHONE = { echoCancellation: false, noiseSuppression: false, autoGainControl: true, channelCount: 1 };

/** Whether this page may ask for a microphone at all: not over plain http, except on this very machine. */
export const isSecure = () => isSecureContext && Boolean(navigator.mediaDevices);

/** Whether this browser has all that recording needs. */
export const canRecord = () =>
  'AudioWorkletNode' in globalThis && 'FileSystemFileHandle' in globalThis && Boolean(navigator.locks);

/**
 * Microphone, worklet, worker, file: the samples never wait for the page, and the page never holds them.
 *
 * Events: `state`; `level` (detail: peak of the last tenth of a second, 0 to 1); `progress` (`durationMs` has grown);
 * `interrupted` (detail: Interruption).
 */
export class Recorder extends EventTarget {
  /** @type {State} */
  state = 'idle';
  /** How much is in the file, in milliseconds. */
  durationMs = 0;
  /** The claim on the recording. Whoever takes the recording over releases it. @type {import('./kept.js').Claim | null} */
  claim = null;
  /** What the service accepts. The recording ends before it is exceeded. */
  limits = { longestMs: Infinity, largestBytes: Infinity };
  /** @type {MediaStream | null} */
  #microphone = null;
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {AudioWorkletNode | null} */
  #node = null;
  /** @type {Worker | null} */
  #worker = null;
  #screen = new ScreenWakeLock();
  /** @type {Promise<void> | null} */
  #stopping = null;

  /**
   * Begins a recording of this user.
   * @param {number} user
   * @throws {DOMException} what getUserMedia says: NotAllowedError, NotFoundError, NotReadableError
   */
  async start(user) {
    this.durationMs = 0;
    this.#stopping = null;
    try {
      const microphone = (this.#microphone = await navigator.mediaDevices.getUserMedia({ audio: MICROPHONE }));
      const context = (this.#context = contextFor(microphone));
      await context.audioWorklet.addModule(new URL('./recorder-worklet.js', import.meta.url));
      this.claim = await claim(user, newName());
      if (!this.claim) throw new Error('another tab has a recording of this very millisecond');
      const blocks = new MessageChannel();
      this.#worker = await this.#open(this.claim, context.sampleRate, blocks.port2);
      this.#connect(context, microphone, blocks.port1);
      await context.resume();
    } catch (error) {
      this.#letGo();
      this.claim?.release();
      this.claim = null;
      throw error;
    }
    this.#become('recording');
    navigator.storage.persist?.();
    this.#screen.keepOn();
  }

  pause() {
    if (this.state !== 'recording') return;
    this.#node?.port.postMessage({ running: false });
    this.#screen.release();
    this.#become('paused');
  }

  async resume() {
    if (this.state !== 'paused') return;
    await this.#context?.resume(); // the device may have suspended it, for a call
    this.#node?.port.postMessage({ running: true });
    this.#screen.keepOn();
    this.#become('recording');
  }

  /** Ends the recording. All that was recorded is in the file when this returns. */
  stop() {
    if (this.state === 'recording' || this.state === 'paused') this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop() {
    const worker = /** @type {Worker} */ (this.#worker);
    const closed = new Promise((resolve) => {
      worker.addEventListener('message', ({ data }) => data.closed && resolve(undefined));
    });
    this.#node?.port.postMessage({ end: true });
    // A suspended worklet may never answer.
    const timer = setTimeout(() => worker.postMessage({ close: true }), CLOSE_WITHIN_MS);
    await closed;
    clearTimeout(timer);
    this.#letGo();
    this.#become('stopped');
  }

  /** @param {State} state */
  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event('state'));
  }

  /**
   * @param {import('./kept.js').Claim} recording
   * @param {number} rate samples per second
   * @param {MessagePort} blocks
   * @returns {Promise<Worker>} when the file is open
   */
  #open({ user, name }, rate, blocks) {
    const worker = new Worker(new URL('./recorder-worker.js', import.meta.url), { type: 'module' });
    return new Promise((resolve, reject) => {
      worker.onerror = () => reject(new DOMException('the worker did not start', 'UnknownError'));
      worker.onmessage = ({ data }) => {
        if (data.opened) resolve(worker);
        else if (data.dataBytes) this.#progress(data.dataBytes, rate);
        else if (data.failed) {
          reject(new DOMException('the file cannot be written', data.failed));
          this.#interrupt(data.failed === 'QuotaExceededError' ? 'full' : 'unwritable');
        }
      };
      worker.postMessage({ user, name, rate }, [blocks]);
    });
  }

  /**
   * @param {AudioContext} context
   * @param {MediaStream} microphone
   * @param {MessagePort} writer
   */
  #connect(context, microphone, writer) {
    const options = { numberOfOutputs: 0, channelCount: 1, channelCountMode: /** @type {const} */ ('explicit') };
    const node = (this.#node = new AudioWorkletNode(context, 'pw-recorder', options));
    node.port.postMessage({ writer }, [writer]); // before the first sample, or it is lost
    node.port.onmessage = ({ data }) => this.dispatchEvent(new CustomEvent('level', { detail: data.peak }));
    microphone.getAudioTracks()[0].onended = () => this.#interrupt('microphone-lost');
    context.onstatechange = () => {
      if (context.state !== 'running' && context.state !== 'closed') this.#suspended();
    };
    context.createMediaStreamSource(microphone).connect(node);
  }

  /**
   * @param {number} dataBytes
   * @param {number} rate samples per second
   */
  #progress(dataBytes, rate) {
    this.durationMs = (dataBytes / SAMPLE_BYTES / rate) * 1000;
    this.dispatchEvent(new Event('progress'));
    const { longestMs, largestBytes } = this.limits;
    const bytesInASecond = HEADER_BYTES + dataBytes + rate * SAMPLE_BYTES;
    if (this.durationMs + 1000 > longestMs || bytesInASecond > largestBytes) this.#interrupt('too-long');
  }

  #suspended() {
    if (this.state !== 'recording') return;
    this.pause();
    this.dispatchEvent(new CustomEvent('interrupted', { detail: 'suspended' }));
  }

  /** @param {Interruption} reason */
  #interrupt(reason) {
    if (this.#stopping || (this.state !== 'recording' && this.state !== 'paused')) return;
    this.dispatchEvent(new CustomEvent('interrupted', { detail: reason }));
    this.stop();
  }

  #letGo() {
    for (const track of this.#microphone?.getTracks() ?? []) track.stop();
    this.#context?.close();
    this.#worker?.terminate();
    this.#screen.release();
    this.#microphone = this.#context = this.#node = this.#worker = null;
  }
}

/**
 * A context at the microphone's own rate, so that nothing is resampled. Browsers that do not tell it choose one.
 * @param {MediaStream} microphone
 */
function contextFor(microphone) {
  const { sampleRate } = microphone.getAudioTracks()[0].getSettings();
  return new AudioContext(sampleRate ? { sampleRate } : {});
}

/** Keeps a phone's screen on, because a phone that sleeps stops recording. */
class ScreenWakeLock {
  /** @type {WakeLockSentinel | null} */
  #sentinel = null;
  #wanted = false;

  constructor() {
    // The browser takes the lock away from a hidden page.
    document.addEventListener('visibilitychange', () => {
      if (this.#wanted && document.visibilityState === 'visible') this.keepOn();
    });
  }

  async keepOn() {
    this.#wanted = true;
    try {
      this.#sentinel = await navigator.wakeLock.request('screen');
      if (!this.#wanted) this.release();
    } catch {
      // Not offered by this browser, or the battery is low.
    }
  }

  release() {
    this.#wanted = false;
    this.#sentinel?.release();
    this.#sentinel = null;
  }
}
