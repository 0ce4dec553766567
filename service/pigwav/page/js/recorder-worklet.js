// @ts-check
/// <reference types="audioworklet" />

const BLOCKS_PER_S = 10;

/**
 * Turns the microphone's samples into 16 bit blocks of a tenth of a second and sends them to the worker that writes
 * them, past the page, whose thread may be busy. The page gets the level of each block.
 *
 * Messages it takes: `{writer: MessagePort}` (first), `{running: boolean}`, `{end: true}`.
 */
class RecorderProcessor extends AudioWorkletProcessor {
  #block = new Int16Array(Math.round(sampleRate / BLOCKS_PER_S));
  #filled = 0;
  #peak = 0;
  #running = true;
  /** @type {MessagePort | null} */
  #writer = null;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => {
      if (data.writer) this.#writer = data.writer;
      if ('running' in data) this.#run(data.running);
      if (data.end) this.#end();
    };
  }

  /** @param {Float32Array[][]} inputs */
  process([input]) {
    for (const sample of input?.[0] ?? []) this.#take(Math.max(-1, Math.min(1, sample)));
    return true;
  }

  /** @param {number} sample from -1 to 1 */
  #take(sample) {
    this.#peak = Math.max(this.#peak, Math.abs(sample));
    this.#block[this.#filled++] = Math.round(sample * 32767);
    if (this.#filled === this.#block.length) this.#send();
  }

  /** While paused, blocks are dropped and only their level is told, so that the meter still answers. */
  #send() {
    if (this.#running && this.#filled) {
      const block = this.#block.slice(0, this.#filled);
      this.#writer?.postMessage(block, [block.buffer]);
    }
    this.port.postMessage({ peak: this.#peak });
    this.#filled = 0;
    this.#peak = 0;
  }

  /** @param {boolean} running */
  #run(running) {
    this.#send();
    this.#running = running;
  }

  #end() {
    this.#send();
    this.#running = false;
    this.#writer?.postMessage('end');
  }
}
registerProcessor('pw-recorder', RecorderProcessor);
