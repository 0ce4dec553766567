// @ts-check
/// <reference lib="webworker" />
import { folderOf } from './kept-folder.js';
import { HEADER_BYTES, SAMPLE_BYTES, wavHeader } from './wav.js';

/**
 * Writes what the worklet sends into a file of this origin.
 *
 * Takes `{user, name, rate}` with the worklet's port, later perhaps `{close: true}`. Tells `{opened: true}`,
 * `{dataBytes}` after each block, `{failed: name of the error}`, and at the end `{closed: true}`.
 */

/** A WAV that is whole after each block: if the browser dies, only blocks that have not arrived are lost. */
class WavFile {
  #dataBytes = 0;
  #flushedBytes = 0;

  /**
   * @param {FileSystemSyncAccessHandle} file
   * @param {number} rate samples per second
   */
  constructor(file, rate) {
    this.file = file;
    this.rate = rate;
    file.truncate(0);
    this.#flush();
  }

  get dataBytes() {
    return this.#dataBytes;
  }

  /** @param {Int16Array<ArrayBuffer>} block */
  append(block) {
    const written = this.file.write(block, { at: HEADER_BYTES + this.#dataBytes });
    // Browsers differ in how they say that the disk is full: an error, fewer bytes, or a number that cannot be.
    if (written !== block.byteLength) throw new DOMException('The disk is full.', 'QuotaExceededError');
    this.#dataBytes += written;
    if (this.#dataBytes - this.#flushedBytes >= this.rate * SAMPLE_BYTES) this.#flush();
  }

  close() {
    this.file.truncate(HEADER_BYTES + this.#dataBytes); // a block that did not fit left a part of itself
    this.#flush();
    this.file.close();
  }

  #flush() {
    this.file.write(wavHeader(this.rate, this.#dataBytes), { at: 0 });
    this.file.flush();
    this.#flushedBytes = this.#dataBytes;
  }
}

/** @type {WavFile | null} */
let recording = null;

onmessage = async ({ data, ports }) => {
  if (data.close) {
    close();
    return;
  }
  try {
    recording = await open(data.user, data.name, data.rate);
    ports[0].onmessage = ({ data: block }) => (block === 'end' ? close() : append(block));
    postMessage({ opened: true });
  } catch (error) {
    fail(error);
  }
};

/**
 * @param {number} user
 * @param {string} name
 * @param {number} rate samples per second
 */
async function open(user, name, rate) {
  const handle = await (await folderOf(user)).getFileHandle(name, { create: true });
  return new WavFile(await handle.createSyncAccessHandle(), rate);
}

/** @param {Int16Array<ArrayBuffer>} block */
function append(block) {
  if (!recording) return;
  try {
    recording.append(block);
    postMessage({ dataBytes: recording.dataBytes });
  } catch (error) {
    fail(error);
    close();
  }
}

function close() {
  recording?.close();
  recording = null;
  postMessage({ closed: true });
}

/** @param {unknown} error */
function fail(error) {
  postMessage({ failed: error instanceof Error ? error.name : String(error) });
}
